// The line below the choice of articles: where they are kept, how far one is that is added, what failed, or a question. They
// share one place, so that nothing moves.
import { button, element } from "../dom.js";
import { announce } from "../status.js";

/** @typedef {{ yes: () => void, no: () => void }} Reply  what to do on each answer to the question */

let shown = "hint"; // the class of the part that is shown
/** @type {Reply} */
let reply = { yes() {}, no() {} };

const hint = element("p", { className: "hint" });
const step = element("span");
const bar = element("progress", { id: "progress" });
let stopAdding = () => {};
const stop = button("Stop adding", { hidden: true }, () => stopAdding());
const failure = element("p", { className: "message" });
const question = element("span");
const yes = button("Remove it", {}, () => reply.yes());
const no = button("Keep", {}, () => {
  clear();
  reply.no();
});
const confirmation = element("p", { className: "confirmation", role: "group" }, question, yes, no);
const frame = element(
  "div",
  { className: "notices" },
  hint,
  element("p", { className: "progress" }, step, stop, bar),
  element("div", { className: "failure" }, failure, button("Close", {}, clear)),
  confirmation,
);

/**
 * A title within a line of the page.
 * @param {string} title
 */
export const shortened = (title) => (title.length > 80 ? `${[...title].slice(0, 79).join("").trimEnd()}…` : title);

/** The line, with nothing in it yet. */
export function build() {
  bar.setAttribute("aria-label", "Adding the article");
  return frame;
}

/** @param {"hint" | "progress" | "failure" | "confirmation"} name */
function show(name) {
  shown = name;
  for (const part of frame.children) part.classList.toggle("shown", part.classList.contains(name));
}

/** Show where articles are kept, and nothing else. */
export function clear() {
  show("hint");
}

/** @param {string} text  on where articles are kept */
export function explain(text) {
  hint.textContent = text;
}

/**
 * How much is done of the total; of 0, nobody knows.
 * @param {string} text
 * @param {(() => void) | null} giveUp  what to do where the visitor wants no more of it
 */
export function progress(text, done = 0, total = 0, giveUp = null) {
  stop.hidden = !giveUp;
  stopAdding = giveUp ?? (() => {});
  step.textContent = text;
  if (total) [bar.max, bar.value] = [total, done];
  else bar.removeAttribute("value");
  if (shown !== "progress") show("progress");
}

/** @param {string} text */
export function fail(text) {
  failure.textContent = text;
  show("failure");
  announce(text);
}

/**
 * @param {string} text
 * @param {Reply} whatThen
 */
export function ask(text, whatThen) {
  reply = whatThen;
  question.textContent = text;
  confirmation.setAttribute("aria-label", text);
  show("confirmation");
  no.focus();
}

/** Take back the question, as Keep does or without a word; whether one was asked. */
export function cancel({ quietly = false } = {}) {
  if (shown !== "confirmation") return false;
  if (quietly) clear();
  else no.click();
  return true;
}
