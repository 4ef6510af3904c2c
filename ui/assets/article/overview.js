// The overview above the article: a summary, an outline, questions with answers and a timeline, each line with the words
// that it rests on. It is only made when somebody opens it, in the background, and shown as it grows.
import { button, element, fetchJson, get } from "../dom.js";
import { idsOf } from "../library/library.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, subject } from "../state.js";
import { announce } from "../status.js";

/** @typedef {{ number: number, title: string, quote: string, range: string, place: string, date?: string }} Line */
/** @typedef {{ text: string, citations: number[], verbatim: boolean }} Statement */
/** @typedef {{ question: string, statements: Statement[], citations: Line[] }} Answer */
/**
 * @typedef Overview  as ui/overview.py describes it
 * @property {boolean} complete
 * @property {number} done
 * @property {number} parts
 * @property {string} failure
 * @property {Answer | null} summary
 * @property {Line[]} outline
 * @property {Answer[]} questions
 * @property {Line[]} timeline
 */

const LOOK_AGAIN_AFTER = 1000; // milliseconds
const LOST = "The overview could not be loaded.";
/** @type {string | null} */
let about = null; // what it is about
let run = 0; // counts how often it was begun or ended: what was asked for before that is not looked at any more
let going = false;

const bar = element("progress", { max: 1, value: 0 });
const told = element("span");
const turn = button("Stop", {}, () => (going ? stop() : begin()).catch(console.error));
const progress = element("p", { className: "progress", hidden: true }, bar, told, turn);
const parts = {
  summary: part("Summary"),
  outline: part("Outline"),
  questions: part("Questions"),
  timeline: part("Timeline"),
};
const menu = element(
  "details",
  { id: "overview" },
  element("summary", {}, "Overview"),
  element("div", { className: "body" }, progress, ...Object.values(parts)),
);
bar.setAttribute("aria-label", "Parts of the overview that are done");

/** @param {string} name */
function part(name) {
  return element("section", { hidden: true }, element("h2", {}, name));
}

/**
 * Show the blocks that the part has not yet: it only grows.
 * @param {HTMLElement} part
 * @param {HTMLElement[]} blocks
 */
function grow(part, blocks) {
  const shown = part.children.length - 1; // behind the heading
  part.append(...blocks.slice(shown));
  part.hidden = part.children.length < 2;
}

/**
 * What is cited together, as an answer is: each number leads to its words in the article, and the others are marked, too.
 * @param {...HTMLElement} shown
 */
const answer = (...shown) =>
  element("div", { className: "answer" }, ...shown, element("input", { type: "hidden", name: "passages" }));

/** @param {Line} line */
function source({ number, range }) {
  const hidden = element("span", { className: "unseen" }, "Source ");
  return element("button", { type: "button", className: "source", value: range }, hidden, String(number));
}

/** @param {Line} line */
function card(line) {
  const date = line.date ? [element("strong", { className: "date" }, line.date)] : [];
  const title = idsOf(articleId()).length > 1 ? `${line.title} · ` : "";
  const quote = element("blockquote", { title: title + line.place }, ...date, line.quote);
  const of = title ? [element("p", { className: "place" }, title + line.place)] : [];
  return element("div", { className: "card" }, source(line), quote, ...of);
}

/** @param {Line[]} lines */
const list = (lines) => (lines.length ? [answer(...lines.map(card))] : []);

/**
 * The statements with their numbers and, folded, their quotes; where these are the statements, the quotes alone.
 * @param {Answer} said
 */
function statements({ statements, citations }) {
  if (statements.every(({ verbatim }) => verbatim)) return answer(...citations.map(card));
  const text = element("p", { className: "text" });
  for (const { text: words, citations: numbers } of statements) {
    const cited = citations.filter(({ number }) => numbers.includes(number));
    text.append(words, " ", ...cited.map(source), " ");
  }
  const name = citations.length === 1 ? "The quote" : `The ${citations.length} quotes`;
  return answer(text, element("details", {}, element("summary", {}, name), ...citations.map(card)));
}

/** @param {Answer} said */
const question = (said) => element("div", {}, element("h3", {}, said.question), statements(said));

/** @param {Overview} overview */
function draw({ complete, done, parts: all, failure, summary, outline, questions, timeline }) {
  grow(parts.summary, summary ? [statements(summary)] : []);
  grow(parts.outline, list(outline));
  grow(parts.questions, questions.map(question));
  grow(parts.timeline, list(timeline));
  Object.assign(bar, { max: all, value: done });
  show(failure || `${done} of ${all} parts`, !complete && !failure);
  progress.hidden = complete;
}

/**
 * @param {string} line
 * @param {boolean} goes  whether it is being made
 */
function show(line, goes) {
  going = goes;
  progress.hidden = false;
  told.textContent = line;
  bar.hidden = !goes;
  turn.textContent = goes ? "Stop" : "Begin again";
}

const path = () => `/overview?about=${encodeURIComponent(articleId())}`;

/** @param {number} asked  the run that this is of */
async function look(asked) {
  /** @type {Overview} */
  const overview = await fetchJson(path());
  if (asked !== run) return;
  draw(overview);
  if (going) setTimeout(() => follow(asked), LOOK_AGAIN_AFTER);
  else announce(overview.complete ? "The overview is complete." : overview.failure);
}

/** @param {number} asked */
function follow(asked) {
  if (asked !== run || !menu.open) return;
  look(asked).catch(() => asked === run && show(LOST, false));
}

async function begin() {
  const again = !progress.hidden; // it was stopped, or came to no end
  const asked = ++run;
  clear();
  show("It begins…", true);
  announce("The overview is being made.");
  if (again) await giveUp();
  follow(asked);
}

async function stop() {
  run += 1;
  show("Stopped.", false);
  announce("The overview is stopped.");
  await giveUp();
}

const giveUp = () => fetch(path(), { method: "DELETE" });

function clear() {
  for (const part of Object.values(parts)) {
    part.replaceChildren(part.children[0]);
    part.hidden = true;
  }
}

menu.addEventListener("toggle", () => {
  if (!menu.open) return;
  if (going) follow(++run);
  else if (progress.hidden && parts.outline.hidden && parts.summary.hidden) begin().catch(console.error);
});

/** What was made of one article says nothing of another, nor of what has become of it. */
function change() {
  menu.hidden = isUnavailable();
  if (about === subject()) return;
  about = subject();
  run += 1;
  going = false;
  progress.hidden = true;
  menu.open = false;
  clear();
}

export function build() {
  get("#study").before(menu);
  onChange(change);
}
