// The history: conversations saved as they grow, opened again, and listed.
import { button, element, find, get } from "../dom.js";
import * as library from "../library/library.js";
import { onChange } from "../observer.js";
import * as state from "../state.js";
import { say } from "../status.js";
import * as saved from "./saved.js";

/** @import { Conversation, ExchangeRecord } from "./saved.js" */

const OWN = /^[0-9a-f]{12,32}$/; // the id of an article that a visitor added
/** @type {string | null} */
let lastSaved = null; // the conversation as last saved
/** @type {string | null} */
let restoring = null; // the id of the conversation that the server was asked to show
/** @type {string | null} */
let nextArticle = null; // what to change to when no answer is running any more
let changed = false; // whether the articles have, since the conversation was checked against them

/** @returns {ExchangeRecord[]} */
export const records = () => state.recordLines().map((line) => JSON.parse(line));
export const shownId = () => saved.savedId(state.conversationId());

/**
 * Change to the article, or to several, and to what was last asked about exactly these.
 * @param {string} id
 */
export function openArticle(id) {
  nextArticle = null;
  say("");
  if (state.isRunning()) nextArticle = id;
  else {
    const latest = saved.all().find((conversation) => conversation.article === id && isServed(conversation));
    saved.close(id);
    show((latest && saved.open(latest.id)) ?? { id: "", article: id, exchanges: [] });
  }
}

/** Go on where this tab, or this browser, was left. */
export function reopen() {
  const { id, article } = saved.current();
  const conversation = saved.open(id);
  if (conversation && isServed(conversation)) show(conversation);
  else if (article && library.titleOf(article)) show({ id: "", article, exchanges: [] });
}

/**
 * Whether the conversation is about articles that are served here, or about some that the visitor added, there still or not.
 * @param {Conversation} conversation
 */
function isServed({ article, exchanges }) {
  const isShared = (/** @type {string} */ id) => library.sharedIds().includes(id);
  if (article) return article.split(" ").every((id) => OWN.test(id) || isShared(id));
  const cited = exchanges.flatMap(({ answer }) => answer.passages.map((passage) => passage.document_id));
  return !cited.length || cited.some(isShared);
}

/** Check the conversation against the articles, which have changed, once no answer is running and none is edited. */
export function renew() {
  changed = true;
  check();
}

function check() {
  if (!changed || state.isRunning() || find("#cancel-edit")) return;
  changed = false;
  show({ id: state.conversationId(), article: state.articleId(), exchanges: records() });
}

/** Save the conversation where it has changed. */
function save() {
  const id = state.conversationId();
  const lines = state.recordLines();
  if (state.isRunning()) restoring = null;
  else if (id) {
    const now = [id, state.articleId(), ...lines].join("\n");
    const restored = restoring !== null && (restoring === id || !lines.length); // that is saved already
    if (now === lastSaved || (restoring !== null && !restored)) return;
    lastSaved = now;
    restoring = null;
    const about = { article: state.articleId(), title: state.articleTitle() };
    if (!restored && lines.length && !saved.save(id, about, records()))
      say("This browser has no room to keep the conversation: export it before you leave.");
  }
}

/**
 * Ask the server to show the exchanges, under the id; "" for a new conversation.
 * @param {Pick<Conversation, "id" | "article" | "exchanges">} conversation
 */
function show({ id, article, exchanges }) {
  restoring = id;
  state.typeInto(get("#saved-conversation textarea"), JSON.stringify({ id, article, exchanges }));
  state.press("restore");
}

export function startNew() {
  const article = state.isUnavailable() ? "" : state.articleId();
  saved.close(article);
  show({ id: "", article, exchanges: [] });
  state.questionBox().focus();
}

/** Delete the conversation that is shown. */
export function clear() {
  saved.remove(shownId());
  startNew();
}

/** The title of what the conversation is about, as it was saved where the article is gone. */
export const title = () =>
  (state.isUnavailable() && saved.all().find(({ id }) => id === shownId())?.title) || state.articleTitle();

/**
 * The conversation in the list, to open and to delete.
 * @param {Conversation} conversation
 */
function entry({ id, article, title, time, exchanges }) {
  const name = exchanges[0]?.answer.question ?? "";
  const date = new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const about = library.titleOf(article) ?? `${title} (removed)`;
  const open = button(name, { className: "open" }, () => {
    const conversation = saved.open(id);
    say("");
    if (conversation) show(conversation);
  });
  open.append(element("span", { className: "date" }, `${about} · ${date}`));
  if (id === shownId()) open.setAttribute("aria-current", "true");
  const remove = button("×", { className: "delete" }, (event) => {
    event.stopPropagation(); // the list stays open
    saved.remove(id);
    if (id === shownId()) startNew();
    drawList();
    find("#history button, #toolbar summary")?.focus();
  });
  remove.setAttribute("aria-label", `Delete: ${name}`);
  return element("li", {}, open, remove);
}

/** The conversations about the articles that are served and the visitor's own. */
function drawList() {
  const entries = saved.all().filter(isServed).map(entry);
  get("#history").replaceChildren(
    ...(entries.length ? [element("ul", {}, ...entries)] : []),
    element("p", {}, `${entries.length ? "" : "None yet. "}They are kept in this browser alone, as your notes are.`),
  );
}

export function build() {
  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (target instanceof HTMLDetailsElement && target.open && target.contains(find("#history"))) drawList();
    },
    true,
  );
  onChange(() => {
    save();
    check();
    if (nextArticle !== null && !state.isRunning()) openArticle(nextArticle);
  });
}
