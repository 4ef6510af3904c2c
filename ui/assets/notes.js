// The line below the choice of articles: where they are kept, how far one is that is added, what failed, or a question. They
// share one place, so that nothing moves.
import { button, element } from "./dom.js";

let shown = ""; // "" for where articles are kept, else the class of a part
let announce = () => {}; // told what is shown here, to be announced only
let answered = {}; // what to do on {yes, no} to the question

const note = element("p", { className: "note" });
const step = element("span");
const bar = element("progress", { id: "progress" });
const failure = element("p", { className: "failure" });
const question = element("span");
const yes = button("Remove it", {}, () => answered.yes());
const no = button("Keep", {}, () => (show(""), answered.no()));
const asked = element("p", { className: "asked", role: "group" }, question, yes, no);
const frame = element(
  "div",
  { className: "notes" },
  note,
  element("p", { className: "progress" }, step, bar),
  element("div", { className: "failed" }, failure, button("Close", {}, () => show(""))),
  asked,
);

// The line, with nothing in it yet.
export function build(announcer) {
  announce = announcer;
  bar.setAttribute("aria-label", "Adding the article");
  return frame;
}

export function show(name) {
  shown = name;
  for (const part of frame.children) part.classList.toggle("shown", part.classList.contains(name || "note"));
}

export const explain = (words) => (note.textContent = words);

export function progress(words, done, total) {
  step.textContent = words;
  if (total) [bar.max, bar.value] = [total, done];
  else bar.removeAttribute("value");
  if (shown !== "progress") show("progress");
}

export const say = (words) => announce(words);

export function fail(message) {
  failure.textContent = message;
  show("failed");
  announce(message);
}

export function ask(words, whatThen) {
  answered = whatThen;
  question.textContent = words;
  asked.setAttribute("aria-label", words);
  show("asked");
  no.focus();
}

// Take back the question, as Keep does or without a word; whether one was asked.
export function keep({ quietly = false } = {}) {
  if (shown !== "asked") return false;
  if (quietly) show("");
  else no.click();
  return true;
}
