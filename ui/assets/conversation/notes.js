// The notes: quotes that are pinned at their cards, and in the toolbar the list of them, each with a remark of one's own.
import { load, rangeIn } from "../article/load.js";
import { isBare } from "../article/paragraph.js";
import { button, closest, element, find, findAll, get } from "../dom.js";
import { idsOf, titleOf } from "../library/library.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, questionBox, subject } from "../state.js";
import { say } from "../status.js";
import { whereOf } from "./export.js";
import * as pinned from "./pinned.js";

/** @import { Note, Quote } from "./pinned.js" */

const FULL = "This browser has no room to keep the note.";
const NO_JUMP = "These words can no longer be shown in the article.";
let drawn = ""; // what the list shows
const summary = element("summary", {}, "Notes");
const list = element("div", { className: "list answer" }); // its numbers lead to the article as an answer's do
const menu = element("details", { id: "notes", className: "menu", hidden: true }, summary, list);

/** The notes on the articles of the conversation, and those on articles that are gone. */
function kept() {
  const ids = idsOf(articleId());
  const notes = pinned.all();
  return {
    here: notes.filter(({ document_id }) => ids.includes(document_id)),
    gone: notes.filter(({ document_id }) => !ids.includes(document_id) && titleOf(document_id) === undefined),
  };
}

/** The notes on the articles of the conversation, which are exported with it: those on others are not for its readers. */
export const here = () => kept().here;

/** The same, each with whether it `stands`: whether the article says it at its place today. */
export const checked = () =>
  Promise.all(here().map(async (note) => ({ ...note, stands: (await placeOf(note)) !== "" })));

/** @param {Note} note  whose place in the article, as a citation's button has it; "" where it stands there no more */
async function placeOf(note) {
  if (isUnavailable() || titleOf(note.document_id) === undefined) return "";
  const article = await load(note.document_id).catch(() => null);
  const range = article && rangeIn(article, note);
  return range ? `${note.document_id} ${range.start} ${range.end}` : "";
}

/**
 * @param {Note} note
 * @param {number} number
 * @param {string} value  as `placeOf` has it
 */
function card(note, number, value) {
  const label = element("span", { className: "unseen" }, "Note ");
  const jump = element("button", { type: "button", className: "source", value, disabled: !value }, label, `${number}`);
  const which = element("span", { className: "unseen" }, ` note ${number}`);
  const unpin = button("Unpin", { className: "unpin" }, (event) => {
    event.stopPropagation(); // the list stays open
    toggle(note).then(() => (find("#notes .unpin") ?? questionBox()).focus(), console.error);
  });
  unpin.append(which);
  const printed = element("p", { className: "remark" }, note.remark);
  const remark = element("textarea", { rows: 1, value: note.remark, placeholder: "Your remark", maxLength: 5000 });
  remark.setAttribute("aria-label", `Remark on note ${number}`);
  remark.addEventListener("input", () => {
    printed.textContent = remark.value;
    if (!pinned.keepRemark(note, remark.value)) say(FULL);
  });
  return element(
    "div",
    { className: "card" },
    jump,
    element("blockquote", { className: isBare(note.quote) ? "quote bare" : "quote" }, note.quote),
    element("p", { className: "place" }, whereOf(note)),
    ...(value ? [] : [element("p", { className: "outdated" }, NO_JUMP)]),
    remark,
    printed,
    unpin,
  );
}

/** Show them, unless they are shown; remarks are, as they are written there. */
async function draw() {
  const { here, gone } = kept();
  const notes = [...here, ...gone];
  const shown = JSON.stringify([
    subject(),
    isUnavailable(),
    notes.map(({ document_id, start, end }) => [document_id, start, end, titleOf(document_id)]),
  ]);
  if (shown === drawn) return;
  drawn = shown;
  const places = await Promise.all(notes.map(placeOf));
  if (shown !== drawn) return;
  const cards = notes.map((note, i) => card(note, i + 1, places[i]));
  const heading = element("p", {}, "Of articles that are gone:");
  const rest = element("div", { className: "gone", hidden: !gone.length }, heading, ...cards.slice(here.length));
  list.replaceChildren(...cards.slice(0, here.length), rest, element("input", { type: "hidden", name: "passages" }));
  summary.textContent = `Notes (${notes.length})`;
  menu.hidden = !notes.length;
  if (menu.hidden) menu.open = false;
}

/** Draw the list, and the buttons of the quotes, which the server knows as not pinned. */
async function show() {
  const isPinned = pinned.isPinned();
  /** @type {HTMLButtonElement[]} */
  const buttons = findAll(".pin");
  for (const pin of buttons) pin.setAttribute("aria-pressed", String(isPinned(JSON.parse(pin.value))));
  await draw();
}

const follow = () => show().catch(console.error);

/** @param {Quote} quote */
function toggle(quote) {
  if (!pinned.toggle(quote)) say(FULL);
  return show();
}

export function build() {
  get("#tools").append(menu);
  document.addEventListener("click", ({ target }) => {
    /** @type {HTMLButtonElement | null} */
    const pin = closest(target, ".pin");
    if (pin) toggle(JSON.parse(pin.value)).catch(console.error);
  });
  pinned.onChangeElsewhere(() => {
    drawn = "";
    follow();
  });
  onChange(follow);
}
