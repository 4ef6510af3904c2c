// How far the language model has read the article, as long as it does.
import { fetchJson, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable } from "../state.js";

const LOOK_AGAIN_AFTER = 1000; // milliseconds
/** @type {string | null} */
let article = null; // whose reading is followed

/** @param {string} id */
async function look(id) {
  /** @type {{share: number | null, loads: boolean}} */
  const { share, loads } = await fetchJson(`/reading?about=${encodeURIComponent(id)}`);
  if (article !== id) return;
  const done = Math.floor(100 * (share ?? 0));
  const says = `The language model is reading the article (${done} %). Ask at any time: until then it sees only the best quotes.`;
  get("#study").textContent = share === null ? "" : says;
  if (share !== null || loads) setTimeout(() => article === id && look(id).catch(console.error), LOOK_AGAIN_AFTER);
}

function follow() {
  const id = articleId();
  if (article === id) return;
  article = id;
  get("#study").textContent = "";
  if (!isUnavailable()) look(id).catch(console.error);
}

export const build = () => onChange(follow);
