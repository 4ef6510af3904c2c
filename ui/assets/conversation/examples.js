// Example questions about the article, before the first question.
import { button, fetchJson, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, questionBox, typeInto } from "../state.js";

const ASK_AGAIN_AFTER = 1000; // milliseconds: the server has not found them yet
/** @type {string | null} */
let article = null; // whose example questions are there, or are waited for

/** @param {string} text */
function ask(text) {
  typeInto(questionBox(), text);
  get("#ask .primary").click();
}

/** @param {string} id */
async function load(id) {
  /** @type {string[] | null} */
  const questions = await fetchJson(`/examples?about=${encodeURIComponent(id)}`);
  if (article !== id) return;
  if (questions) get("#questions").replaceChildren(...questions.map((text) => button(text, {}, () => ask(text))));
  else setTimeout(() => article === id && load(id).catch(console.error), ASK_AGAIN_AFTER);
}

function follow() {
  const id = articleId();
  if (article === id) return;
  article = id;
  get("#questions").replaceChildren();
  if (!isUnavailable()) load(id).catch(console.error);
}

export const build = () => onChange(follow);
