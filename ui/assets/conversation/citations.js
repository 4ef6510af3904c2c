// Citations: marks an answer's quotes in the article as they come, shows the one that is clicked, and leads back from it.
import { reveal, showUnavailable } from "../article/highlights.js";
import { button, closest, find, findAll, get, scrollBehavior } from "../dom.js";
import { idsOf, newRemoveButton } from "../library/library.js";
import { onChange } from "../observer.js";
import { articleId, exchanges, isDamaged, isRemoved, isUnavailable, quoteButtons, version } from "../state.js";
import { shownId } from "./history.js";
import * as preview from "./preview.js";

/** @import { Source } from "../article/highlights.js" */

const BACK = "↑ Back to the answer";
let newest = ""; // the quotes of the latest answer, as last marked
/** @type {{ button: HTMLButtonElement, exchange: number } | null} */
let origin = null; // where the quote in the panel was chosen

/**
 * Ranges from a value "id start end id start end …".
 * @param {string} value
 */
function sourcesOf(value) {
  const words = value.split(" ");
  /** @type {Source[]} */
  const sources = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    sources.push({ id: words[i], start: Number(words[i + 1]), end: Number(words[i + 2]) });
  }
  return sources;
}

/** @param {ParentNode} answer */
function passagesOf(answer) {
  /** @type {HTMLInputElement} */
  const passages = get('[name="passages"]', answer);
  return passages.value;
}

/**
 * Show the quote of the button in the article.
 * @param {HTMLButtonElement} button
 */
async function choose(button) {
  const answer = button.closest(".answer");
  if (!answer) return;
  const quotes = quoteButtons(answer).flatMap(({ value }) => sourcesOf(value));
  const place = await reveal(quotes, sourcesOf(passagesOf(answer)), sourcesOf(button.value)[0]);
  if (!place) return;
  origin = { button, exchange: exchanges().findIndex((exchange) => exchange.contains(button)) };
  back.hidden = false;
  back.textContent = button.closest("#overview") ? "↑ Back to the overview" : BACK;
  get("#reading").scrollIntoView({ block: "nearest", behavior: scrollBehavior() });
  if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

/** The citation that was followed, also where its answer was drawn again since; null where it is gone. */
export function followed() {
  if (!origin || origin.button.isConnected) return origin?.button ?? null;
  const { button, exchange } = origin;
  /** @type {HTMLButtonElement[]} */
  const sources = exchanges()[exchange] ? findAll(".source", exchanges()[exchange]) : [];
  return sources.find(({ value }) => value === button.value) ?? null;
}

// From the quote back to its citation; only shown where the article stands below the conversation.
const back = button(BACK, { id: "back", hidden: true }, () => {
  const citation = followed();
  citation?.closest("details:not([open])")?.setAttribute("open", "");
  citation?.scrollIntoView({ block: "center", behavior: scrollBehavior() });
  citation?.focus({ preventScroll: true });
  preview.hide(); // who comes from the quote need not see it again
});

/** A new answer marks its quotes and passages at once; an abstained one, whose quotes are none, the passages alone. */
function follow() {
  back.hidden = !followed();
  const answers = findAll("#conversation .exchange > .answer");
  const last = answers.at(-1);
  const quotes = !last || last.classList.contains("abstained") ? [] : quoteButtons(last).map(({ value }) => value);
  const passages = last ? passagesOf(last) : "";
  const asked = [articleId(), shownId(), answers.length, last?.querySelector("legend")?.textContent].join("\n");
  const key = [asked, version(), ...quotes, passages].join("\n");
  if (key === newest) return;
  if (last && !newest.startsWith(asked)) {
    last.parentElement?.scrollIntoView({ block: "start", behavior: scrollBehavior() });
  }
  newest = key;
  const articles = idsOf(articleId());
  if (isUnavailable() && articles.length > 1) showUnavailable("Choose those that can be read.");
  else if (isRemoved()) showUnavailable("The text of this article is gone.");
  else if (isDamaged()) showUnavailable("The text of this article cannot be read.", newRemoveButton());
  else reveal(quotes.flatMap(sourcesOf), sourcesOf(passages), null, articles[0]).catch(console.error);
}

/**
 * Show another of the articles, with what the last answer cites of it.
 * @param {string} id
 */
export function turnTo(id) {
  const last = findAll("#conversation .exchange > .answer").at(-1);
  const quotes = last ? quoteButtons(last).flatMap(({ value }) => sourcesOf(value)) : [];
  const passages = last ? sourcesOf(passagesOf(last)) : [];
  /** @param {Source} source */
  const isThere = (source) => source.id === id;
  reveal(quotes.filter(isThere), passages.filter(isThere), null, id).catch(console.error);
}

/** @param {MouseEvent} event */
function clicked({ target }) {
  const card = closest(target, ".answer .card");
  if (closest(target, ".pin, textarea") || (card && String(getSelection()))) return; // or its words were selected
  /** @type {HTMLButtonElement | null} */
  const source = closest(target, "button.source") ?? (card && find("button.source:enabled", card));
  if (source) choose(source).catch(console.error);
}

export function build() {
  get("#reading").before(back);
  document.addEventListener("click", clicked);
  onChange(follow);
}
