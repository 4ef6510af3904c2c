// The articles, shared ones and the visitor's own, to choose, add and remove. What is the visitor's own, and what may be
// added, the server says (ui/articles.py); here it is only shown and sent.

import { button, element, fetchJson, get } from "../dom.js";
import { onChange } from "../observer.js";
import { articleId, isRunning } from "../state.js";
import { say } from "../status.js";
import * as choice from "./choice.js";
import * as drop from "./drop.js";
import * as notices from "./notices.js";
import * as paste from "./paste.js";
import { ARTICLES, addFiles, follow as followArrivals, isAdding, listen, setLimits } from "./upload.js";

/** @import { OwnArticle } from "./upload.js" */

/** @type {{ id: string, title: string }[]} */
let shared = []; // all of them are asked where no others are chosen
/** @type {OwnArticle[]} */
let ownArticles = [];
/** @type {string | null} */
let login = null;
let showing = ""; // the ids of the articles that are asked, as `articleId` has them
/** @type {Map<string, string>} */
let titles = new Map(); // of all articles, by their ids
/** @type {(ids: string) => void} */
let choose = () => {}; // told which articles were chosen

const file = element("input", { type: "file", id: "upload", multiple: true, className: "unseen" });
const removeButton = button("Remove", { title: "Remove this article" }, ask);

export const sharedIds = () => shared.map(({ id }) => id);
/** @param {string} articles  their ids with spaces between, "" for the shared ones */
export const idsOf = (articles) => (articles ? articles.split(" ") : sharedIds());
/**
 * What the articles are called together; undefined where one of them is gone.
 * @param {string} articles
 */
export function titleOf(articles) {
  const ids = idsOf(articles);
  const more = ids.length > 1 ? ` and ${ids.length - 1} more` : "";
  return ids.length && ids.every((id) => titles.has(id)) ? `${titles.get(ids[0])}${more}` : undefined;
}
const isOwn = () => ownArticles.some(({ id }) => id === showing);

/** @param {string[]} ids  in the order of the list */
function chosen(ids) {
  if (!isAdding()) notices.clear();
  choose(ids.join(" ") === sharedIds().join(" ") ? "" : ids.join(" "));
}

function filesChosen() {
  addFiles([...(file.files ?? [])]);
  file.value = ""; // or the same file could not be chosen again
}

/**
 * @param {OwnArticle} article
 * @param {number} added  how many were new
 * @param {string} note
 */
function finished({ id, title }, added, note) {
  const now = isRunning() ? "It is shown when this answer is complete." : "Ask about it.";
  const last = `“${notices.shortened(title)}”`;
  const what =
    added > 1
      ? `${added} articles were added, the last of them ${last}.`
      : `${last} ${added ? "was added" : "is among your articles already"}.`;
  choose(id);
  say(`${what} ${now} ${note}`.trim());
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.key !== "Escape") return;
  if (!choice.panel.hidden) choice.open(false);
  else if (!paste.form.hidden) paste.open(false);
  else if (!notices.cancel()) return;
  event.stopPropagation();
}

/**
 * Fill the choice, once; who is logged in, or null.
 * @param {(articles: string) => void} whatThen  called with the ids of those that were chosen, "" for the shared ones
 */
export async function build(whatThen) {
  choose = whatThen;
  choice.build(chosen);
  file.addEventListener("change", filesChosen);
  listen({ added: refresh, finished });
  const label = element("label", { htmlFor: "upload", className: "add" }, "Add an article");
  const controls = element("div", { className: "controls" }, choice.opener, file, label, paste.opener, removeButton);
  const frame = get("#library");
  frame.append(controls, choice.panel, notices.build(), paste.form);
  frame.addEventListener("keydown", pressed);
  addEventListener("focus", () => refresh().catch(console.error)); // another tab may have added or removed one
  drop.build(get("#article-panel"));
  notices.clear();
  await renew();
  onChange(follow);
  return login;
}

/** Ask anew which articles are shared, and which are the visitor's own. */
export async function renew() {
  shared = await fetchJson("/articles");
  await refresh();
}

async function refresh() {
  const before = JSON.stringify([...titles]);
  const answer = await fetchJson(ARTICLES);
  ({ articles: ownArticles, login } = answer);
  titles = new Map([...ownArticles, ...shared].map(({ id, title }) => [id, title]));
  setLimits(answer.limits);
  paste.offerPages(answer.limits.web_pages);
  file.accept = answer.limits.suffixes.join(",");
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const place = isHere ? "on this computer" : "on the server";
  const whom = login ? `your login, ${login},` : "this browser";
  notices.explain(`What you add is kept ${place}, for ${whom} alone. Remove deletes it.`);
  if (JSON.stringify([...titles]) !== before) draw(); // or the keyboard would be lost in a list that is open
  followArrivals(answer.arriving);
}

function draw() {
  /** @param {OwnArticle} article */
  const isDouble = ({ title }) => ownArticles.filter((other) => other.title === title).length > 1;
  /** @param {OwnArticle} article */
  const name = (article) => (isDouble(article) ? `${article.title} (${article.source})` : article.title);
  const entries = [
    ...shared.map(({ id, title }) => ({ id, name: title, isOwn: false })),
    ...ownArticles.map((article) => ({ id: article.id, name: name(article), isOwn: true })),
  ];
  choice.draw(entries, idsOf(showing), titleOf(showing) ?? "(removed)");
  removeButton.hidden = !isOwn();
}

function follow() {
  if (articleId() !== showing) {
    notices.cancel({ quietly: true });
    showing = articleId();
    draw();
  }
  choice.opener.disabled = isRunning();
  removeButton.disabled = isRunning() || isAdding();
}

/** A button that does the same as Remove. */
export const newRemoveButton = () => button("Remove this article", { className: "action" }, ask);

function ask() {
  notices.ask(`Remove “${notices.shortened(titleOf(showing) ?? "")}”, its text and its vectors?`, {
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
  say(`“${notices.shortened(title)}” was removed.`);
  choice.opener.focus();
}
