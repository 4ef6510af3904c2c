// The list of articles, over the panel, and the button that opens it. A title asks that article alone; ticks, and a button
// below, ask several together.
import { button, closest, element, find, findAll } from "../dom.js";
import { questionBox } from "../state.js";

/** @typedef {{ id: string, name: string, isOwn: boolean }} Entry */

const HOW_TO_CHOOSE = "Choose one by its title, or tick several to ask them together.";
const WHAT_COMES = "Articles that you add are listed here, to be asked alone or together.";
const AT_A_GLANCE = 8; // so many articles need no search
/** @type {string[]} */
let current = []; // the ids of those that are asked now
/** @type {(ids: string[]) => void} */
let choose = () => {}; // told which were chosen, in the order of the list

const title = element("span");
export const opener = button("", { id: "article-choice", ariaExpanded: "false" }, () => open(Boolean(panel.hidden)));
opener.append(element("span", { className: "unseen" }, "Choose articles: "), title);
const words = element("input", { type: "search", placeholder: "Search the list" });
words.setAttribute("aria-label", "Search the list of articles");
const count = element("span", { className: "count" });
count.setAttribute("aria-live", "polite");
const search = element("p", { className: "words" }, words, count);
const hint = element("p");
const lists = element("div", { className: "lists" });
const these = button("", { className: "primary" }, () => decide(ticked(), questionBox()));
const all = button("", {}, () => decide(ids(boxes()), questionBox()));
const several = element("p", { className: "several" }, these, all);
export const panel = element("div", { id: "articles", role: "group", hidden: true }, search, hint, lists, several);
panel.setAttribute("aria-label", "Articles");

/** @returns {HTMLInputElement[]} */
const boxes = () => findAll("input", lists);
/** @param {HTMLInputElement[]} ofBoxes */
const ids = (ofBoxes) => ofBoxes.map(({ value }) => value);
const ticked = () => ids(boxes().filter(({ checked }) => checked));

/**
 * @param {string[]} chosen
 * @param {HTMLElement} next  where the keyboard goes on
 */
function decide(chosen, next) {
  open(false);
  next.focus();
  choose(chosen);
}

/** @param {Entry} entry */
function row({ id, name }) {
  const box = element("input", { type: "checkbox", value: id });
  box.setAttribute("aria-label", `Include ${name}`);
  const alone = button(name, {}, () => decide([id], opener));
  if (current.includes(id)) alone.setAttribute("aria-current", "true");
  return element("li", {}, element("label", {}, box), alone);
}

/**
 * Show the articles, and which of them are asked now, as what; what is ticked in an open list stays so.
 * @param {Entry[]} entries
 * @param {string[]} asked
 * @param {string} name
 */
export function draw(entries, asked, name) {
  const before = ticked();
  current = asked;
  title.textContent = name;
  const [shared, own] = [false, true].map((isOwn) => entries.filter((entry) => entry.isOwn === isOwn).map(row));
  lists.replaceChildren(element("ul", {}, ...shared));
  if (own.length) lists.append(element("p", {}, "Your articles"), element("ul", {}, ...own));
  search.hidden = entries.length <= AT_A_GLANCE;
  several.hidden = entries.length < 2;
  hint.textContent = several.hidden ? WHAT_COMES : HOW_TO_CHOOSE;
  all.textContent = `Ask all ${entries.length}`;
  tick(before);
  filter();
}

/** @param {string[]} chosen */
function tick(chosen) {
  for (const box of boxes()) box.checked = chosen.includes(box.value);
  countTicks();
}

function countTicks() {
  const { length } = ticked();
  these.textContent = length > 1 ? `Ask these ${length}` : length ? "Ask this one" : "Ask these";
  these.disabled = !length;
}

/** Leave those in the list whose titles have all the words. */
function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/);
  const rows = findAll("li", lists);
  for (const one of rows) {
    const text = one.textContent?.toLowerCase() ?? "";
    one.hidden = !wanted.every((word) => text.includes(word));
  }
  const found = rows.filter(({ hidden }) => !hidden).length;
  count.textContent = words.value.trim() ? `${found} of ${rows.length}` : "";
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const { key, target } = event;
  const names = findAll("li:not([hidden]) button", lists);
  if (key === "Enter" && target === words && words.value.trim()) {
    event.preventDefault(); // or the same key would press the button that the keyboard goes on to
    names[0]?.click();
  }
  const stops = closest(target, "li input") ? findAll("li:not([hidden]) input", lists) : [words, ...names];
  const at = stops.findIndex((stop) => stop.matches(":focus"));
  const by = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (at < 0 || !by) return;
  event.preventDefault();
  stops[at + by]?.focus();
}

/**
 * Open the list, or close it.
 * @param {boolean} opened
 */
export function open(opened) {
  const within = panel.contains(document.activeElement);
  panel.hidden = !opened;
  opener.setAttribute("aria-expanded", String(opened));
  if (!opened) {
    if (within) opener.focus();
    return;
  }
  words.value = "";
  filter();
  tick(current.length > 1 ? current : []);
  (find("[aria-current]", lists) ?? find("button", lists))?.focus();
  if (!search.hidden && matchMedia("(hover: hover)").matches) words.focus(); // a phone's keyboard would hide the list
}

/** @param {Event} event  somewhere on the page */
function isElsewhere({ target }) {
  const isHere = target instanceof Node && (panel.contains(target) || opener.contains(target));
  if (!isHere && !panel.hidden) open(false);
}

/** @param {(ids: string[]) => void} chosen */
export function build(chosen) {
  choose = chosen;
  words.addEventListener("input", filter);
  panel.addEventListener("change", countTicks);
  panel.addEventListener("keydown", pressed);
  for (const kind of ["click", "focusin"]) document.addEventListener(kind, isElsewhere);
}
