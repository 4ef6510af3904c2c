// The choice of articles above the article: the shared ones and the visitor's own, to choose, add and remove. What is the
// visitor's own, and what may be added, the server says (ui/articles.py); here it is only shown and sent.

import { button, element, fetchJson, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isRunning } from "../state.js";
import { say } from "../status.js";
import * as drop from "./drop.js";
import * as notices from "./notices.js";
import * as paste from "./paste.js";
import { ARTICLES, addFiles, follow as followArrivals, isAdding, listen, setLimits } from "./upload.js";

/** @import { OwnArticle } from "./upload.js" */

/** @type {{ id: string, title: string }[]} */
let shared = []; // all of them one choice
/** @type {OwnArticle[]} */
let ownArticles = [];
/** @type {string | null} */
let login = null;
let showing = ""; // the id of the visitor's own article in the panel, or "" for the shared ones
/** @type {(id: string) => void} */
let choose = () => {}; // told which article was chosen

let deciding = 0; // the timer after which the choice counts: arrow keys go through several
const DECIDED_AFTER = 200; // milliseconds

const list = element("select", { id: "article-choice" });
const file = element("input", { type: "file", id: "upload", multiple: true, className: "unseen" });
const removeButton = button("Remove", { title: "Remove this article" }, ask);

export const sharedIds = () => shared.map(({ id }) => id);
/** @param {string} id  "" for the shared ones */
export const titleOf = (id) => (id ? ownArticles.find((article) => article.id === id)?.title : sharedTitle());
const sharedTitle = () => shared[0].title + (shared.length > 1 ? ` and ${shared.length - 1} more` : "");

/**
 * A title within a line of the page.
 * @param {string} title
 */
const shortened = (title) => (title.length > 80 ? `${[...title].slice(0, 79).join("").trimEnd()}…` : title);

function listChanged() {
  if (!isAdding()) notices.clear();
  clearTimeout(deciding);
  deciding = setTimeout(() => {
    deciding = 0;
    choose(list.value);
  }, DECIDED_AFTER);
}

function filesChosen() {
  addFiles([...(file.files ?? [])]);
  file.value = ""; // or the same file could not be chosen again
}

/**
 * @param {OwnArticle} article
 * @param {number} added
 */
function finished({ id, title }, added) {
  const now = list.disabled ? "It is shown when this answer is complete." : "Ask about it.";
  const what =
    added > 1
      ? `${added} articles were added, the last of them “${shortened(title)}”.`
      : `“${shortened(title)}” was added.`;
  choose(id);
  say(`${what} ${now}`);
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.key !== "Escape") return;
  if (!paste.form.hidden) paste.open(false);
  else if (!notices.cancel()) return;
  event.stopPropagation();
}

/**
 * Fill the choice, once; who is logged in, or null.
 * @param {(id: string) => void} chosen  called with an article's id, "" for the shared ones
 */
export async function build(chosen) {
  choose = chosen;
  shared = await fetchJson("/articles");
  list.setAttribute("aria-label", "Choose an article");
  list.addEventListener("change", listChanged);
  file.addEventListener("change", filesChosen);
  listen({ added: refresh, finished });
  const label = element("label", { htmlFor: "upload" }, "Add an article");
  const controls = element("div", { className: "controls" }, list, file, label, paste.opener, removeButton);
  const frame = get("#library");
  frame.append(controls, notices.build(), paste.form);
  frame.addEventListener("keydown", pressed);
  addEventListener("focus", () => refresh().catch(console.error)); // another tab may have added or removed one
  drop.build(get("#article-panel"));
  notices.clear();
  await refresh();
  onChange(follow);
  return login;
}

async function refresh() {
  const before = JSON.stringify(ownArticles);
  const answer = await fetchJson(ARTICLES);
  ({ articles: ownArticles, login } = answer);
  setLimits(answer.limits);
  file.accept = answer.limits.suffixes.join(",");
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const place = isHere ? "on this computer" : "on the server";
  const whom = login ? `your login, ${login},` : "this browser";
  notices.explain(
    `What you add is kept ${place}, for ${whom} alone. Remove deletes its text and vectors. ` +
      "Conversations are kept in this browser.",
  );
  if (!list.length || JSON.stringify(ownArticles) !== before) draw(); // a list that is open stays open
  followArrivals(answer.arriving);
}

function draw() {
  /**
   * @param {string} value
   * @param {string} text
   */
  const option = (value, text) => element("option", { value }, text);
  /** @param {OwnArticle} article */
  const isDouble = ({ title }) => ownArticles.filter((other) => other.title === title).length > 1;
  const mine = ownArticles.map((one) => option(one.id, isDouble(one) ? `${one.title} (${one.source})` : one.title));
  const removed = showing && !titleOf(showing) ? [option(showing, "(removed)")] : [];
  const yours = element("optgroup", { label: "Your articles" }, ...mine, ...removed);
  const value = deciding ? list.value : showing;
  list.replaceChildren(option("", sharedTitle()), ...(yours.children.length ? [yours] : []));
  list.value = value;
  removeButton.hidden = !titleOf(showing) || !showing;
}

function follow() {
  if (articleId() !== showing) {
    notices.cancel({ quietly: true });
    showing = articleId();
    draw();
  }
  list.disabled = isRunning();
  removeButton.disabled = isRunning() || isAdding();
}

/** A button that does the same as Remove. */
export const newRemoveButton = () => button("Remove this article", { className: "action" }, ask);

function ask() {
  notices.ask(`Remove “${shortened(titleOf(showing) ?? "")}”, its text and its vectors?`, {
    yes: () => remove().catch(console.error),
    no: () => removeButton.focus(),
  });
}

async function remove() {
  const id = showing;
  const title = titleOf(id) ?? "";
  const response = await fetch(`${ARTICLES}/${id}`, { method: "DELETE" });
  if (!response.ok && response.status !== 404) return notices.fail((await response.json()).message);
  notices.clear();
  await refresh();
  choose("");
  say(`“${shortened(title)}” was removed.`);
  list.focus();
}
