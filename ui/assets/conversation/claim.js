// A claim checked against the article: a form in the toolbar, and below it what the article says of each sentence.
import { element, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, subject } from "../state.js";
import { announce } from "../status.js";

/** @typedef {{ number: number, title: string, quote: string, range: string, place: string, pin?: object }} Cited */
/** @typedef {{ text: string, verdict: string, citations: Cited[], nearest: Cited[] }} Sentence */

const FAILED = "The claim could not be checked. Please try again.";
/** @type {string | null} */
let about = null; // what the result is about
const text = element("textarea", { rows: 2, maxLength: 2000, required: true });
const submit = element("button", { type: "submit", className: "primary" }, "Check");
const label = element("label", {}, element("span", {}, "Does the article say this?"), text);
const form = element("form", {}, label, submit);
const result = element("div", { className: "answer" }); // its sources lead to the article as those of an answer do
const menu = element(
  "details",
  { id: "claim", className: "menu" },
  element("summary", {}, "Check a claim"),
  element("div", { className: "list" }, form, result),
);

/**
 * @param {Cited} quote
 * @param {string} name
 */
function card({ number, title, quote, range, place, pin }, name) {
  const hidden = element("span", { className: "unseen" }, `${name} `);
  return element(
    "div",
    { className: "card" },
    element("button", { type: "button", className: "source", value: range }, hidden, String(number)),
    element("blockquote", {}, quote),
    element("p", { className: "place" }, `${title} · ${place}`),
    ...(pin ? [pinButton(pin, number)] : []),
  );
}

/**
 * The button that the server puts at an answer's quotes, too.
 * @param {object} pin
 * @param {number} number
 */
function pinButton(pin, number) {
  const which = element("span", { className: "unseen" }, ` quote ${number}`);
  const title = "Keep this quote as a note";
  return element(
    "button",
    { type: "button", className: "pin", value: JSON.stringify(pin), ariaPressed: "false", title },
    "Pin",
    which,
  );
}

/** @param {Sentence} sentence */
function draw({ text, verdict, citations, nearest }) {
  const named = verdict === "supported" ? "The article says so" : "Not said";
  return [
    element("p", { className: "verdict" }, element("strong", {}, `${named}: `), text),
    ...citations.map((quote) => card(quote, "Source")),
    ...(nearest.length ? [element("p", { className: "nearest" }, "The nearest sentences, which do not say it:")] : []),
    ...nearest.map((quote) => card(quote, "Nearest")),
  ];
}

/** @param {...(Node | string)} shown */
function show(...shown) {
  result.replaceChildren(...shown, element("input", { type: "hidden", name: "passages" }));
}

/** @param {Sentence[]} sentences */
function summary(sentences) {
  const said = sentences.filter(({ verdict }) => verdict === "supported").length;
  return `Checked: the article says ${said} of ${sentences.length} ${sentences.length === 1 ? "sentence" : "sentences"}.`;
}

async function check() {
  const asked = subject();
  const response = await fetch(`/check?about=${encodeURIComponent(articleId())}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ claim: text.value }),
  });
  const told = await response.json();
  if (asked !== subject()) return;
  if (response.ok) show(...told.sentences.flatMap(draw));
  else show(element("p", {}, told.message));
  announce(response.ok ? summary(told.sentences) : told.message);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  text.value = text.value.trim();
  if (submit.disabled || !form.reportValidity()) return;
  submit.disabled = true;
  show(element("p", {}, "Checking…"));
  announce("Checking…");
  try {
    await check();
  } catch {
    show(element("p", {}, FAILED));
    announce(FAILED);
  }
  submit.disabled = false;
});

menu.addEventListener("toggle", () => menu.open && text.focus());

/** What was said of one article says nothing of another, nor of what has become of it. */
function follow() {
  if (about !== subject()) show();
  about = subject();
  menu.hidden = isUnavailable();
}

export function build() {
  get("#tools").append(menu);
  onChange(follow);
}
