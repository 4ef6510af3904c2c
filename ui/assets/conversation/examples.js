// Example questions about the article, before the first question; those that the server puts below the last answer are asked
// as they are.
import { button, closest, fetchJson, find, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, exchanges, isRunning, isUnavailable, press, questionBox, subject, typeInto } from "../state.js";

const ASK_AGAIN_AFTER = 1000; // milliseconds: the server has not found them yet
/** @type {string | null} */
let about = null; // about what the example questions are that are there, or are waited for
let late = false; // whether answers may be there without those to ask next, as they were found only later

/** @param {string | null} text */
function ask(text) {
  typeInto(questionBox(), text ?? "");
  get("#ask .primary").click();
}

/** @param {string} asked  what they are to be about */
async function load(asked) {
  /** @type {string[] | null} */
  const questions = await fetchJson(`/examples?about=${encodeURIComponent(articleId())}`);
  if (about !== asked) return;
  if (!questions) {
    late = true;
    setTimeout(() => about === asked && load(asked).catch(console.error), ASK_AGAIN_AFTER);
    return;
  }
  get("#questions").replaceChildren(...questions.map((text) => button(text, {}, () => ask(text))));
  follow();
}

function follow() {
  if (about !== subject()) {
    about = subject();
    late = false;
    get("#questions").replaceChildren();
    if (!isUnavailable()) load(about).catch(console.error);
  } else if (late && exchanges().length && !isRunning() && get("#questions").hasChildNodes()) {
    late = false;
    if (!find(".exchange:last-of-type .next")) press("suggest");
  }
}

/** @param {MouseEvent} event */
function clicked({ target }) {
  const next = closest(target, ".next button");
  if (next) ask(next.textContent);
}

export function build() {
  document.addEventListener("click", clicked);
  onChange(follow);
}
