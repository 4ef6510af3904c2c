// How far the language model has read the article, as long as it does.
import { fetchJson, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, subject } from "../state.js";

const LOOK_AGAIN_AFTER = 1000; // milliseconds
/** @type {string | null} */
let about = null; // of what the reading is followed

/** @param {string} asked  what is read */
async function look(asked) {
  /** @type {{share: number | null, loads: boolean}} */
  const { share, loads } = await fetchJson(`/reading?about=${encodeURIComponent(articleId())}`);
  if (about !== asked) return;
  const done = Math.floor(100 * (share ?? 0));
  const says = `The language model is reading the article (${done} %). Ask at any time: until then it sees only the best quotes.`;
  get("#study").textContent = share === null ? "" : says;
  if (share !== null || loads) setTimeout(() => about === asked && look(asked).catch(console.error), LOOK_AGAIN_AFTER);
}

function follow() {
  if (about === subject()) return;
  about = subject();
  get("#study").textContent = "";
  if (!isUnavailable()) look(about).catch(console.error);
}

export const build = () => onChange(follow);
