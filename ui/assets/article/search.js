// The search in the article.
import { button, element, findAll, get } from "../dom.js";
import { current as article, firstInView } from "./panel.js";
import { scrollToSpan } from "./scroll.js";

/** @import { Span } from "./paragraph.js" */

/** @type {Span[]} */
let matches = [];
let current = -1; // the match that is looked at
let changed = () => {}; // told when other matches are to be marked
const MOST_MARKED = 1000;

const words = element("input", { type: "search", id: "search-words", placeholder: "Search in the article" });
const count = element("span", { id: "search-count" });

/** The match that is looked at, or none, and the others around it, which are to be marked. */
export function found() {
  const from = Math.max(0, current - MOST_MARKED / 2);
  const chosen = current < 0 ? [] : [matches[current]];
  return { chosen, near: matches.slice(from, from + MOST_MARKED).filter((match) => match !== chosen[0]) };
}

/**
 * The pattern for the words as a person types them, who may have no key for the text's accents: a letter without one finds it
 * with any, and points of Hebrew and Arabic need not be there; any white space, either form of apostrophe and quotation mark.
 * @param {string} words
 * @param {string} text
 */
function pattern(words, text) {
  /** @type {Map<string, string>} */
  const accented = new Map(); // of the text's letters, by the letter without the accent
  for (const letter of new Set(text.toLowerCase().match(/[^\p{ASCII}]/gu))) {
    const [plain] = letter.normalize("NFD");
    if (plain !== letter) accented.set(plain, (accented.get(plain) ?? "") + letter);
  }
  const literal = words
    .normalize("NFC")
    .trim()
    .replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return literal
    .replace(/\p{L}/gu, (letter) => `[${letter}${accented.get(letter.toLowerCase()) ?? ""}]\\p{M}*`)
    .replace(/\s+/g, "\\s+")
    .replace(/['’‘]/g, "['’‘]")
    .replace(/["“”]/g, '["“”]');
}

/** Search again, in what the panel shows now. */
export function run() {
  matches = [];
  const text = article()?.text ?? "";
  if (words.value.trim()) {
    for (const { 0: match, index } of text.matchAll(new RegExp(pattern(words.value, text), "giu"))) {
      matches.push({ start: index, end: index + match.length });
    }
  }
  current = -1;
  if (matches.length) {
    const from = firstInView();
    const next = matches.findIndex(({ end }) => end > from);
    step(Math.max(0, next) + 1);
  } else {
    changed();
    showCount();
  }
}

/**
 * Go so many matches on, around the ends.
 * @param {number} by
 */
function step(by) {
  if (!matches.length) return;
  current = (current + by + matches.length) % matches.length;
  changed();
  scrollToSpan(matches[current]);
  showCount();
}

function showCount() {
  const [at, all] = [current + 1, matches.length].map((number) => number.toLocaleString("en"));
  const said = matches.length ? `${at} of ${all}` : "none";
  count.textContent = words.value.trim() ? said : "";
  /** @type {HTMLButtonElement[]} */
  const arrows = findAll("#search button");
  for (const arrow of arrows) arrow.disabled = !matches.length;
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
  else if (event.key === "Escape" && words.value) {
    words.value = "";
    run();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Fill the search's frame.
 * @param {() => void} mark  called when other matches are found or looked at
 */
export function build(mark) {
  changed = mark;
  words.setAttribute("aria-label", "Search in the article");
  count.setAttribute("aria-live", "polite");
  /**
   * @param {string} name
   * @param {string} sign
   * @param {number} by
   */
  const arrow = (name, sign, by) => {
    const node = button(sign, { title: name, disabled: true }, () => step(by));
    node.setAttribute("aria-label", name);
    return node;
  };
  const frame = get("#search");
  frame.setAttribute("role", "search");
  frame.append(words, count, arrow("Previous match", "↑", -1), arrow("Next match", "↓", 1));
  words.addEventListener("input", run);
  words.addEventListener("keydown", pressed);
}
