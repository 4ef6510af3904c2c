// The conversations that are saved in this browser, one entry of its storage each.
import { erase, key, newId, read, write } from "../storage.js";

/**
 * @typedef {{ number: number, document_id: string, title: string, place: string | null, start: number, end: number,
 *   quote: string }} Citation
 * @typedef {{ question: string, answer: string, citations: Citation[], passages: { document_id: string }[] }} Answer  as
 *   `ask --json` prints it
 * @typedef {{ answer: Answer, earlier: Answer[], outdated?: boolean }} ExchangeRecord  as the server rendered it
 * @typedef {{ article: string, title: string }} About  the ids of the articles, "" for the shared ones, and their title
 * @typedef {About & { id: string, time: number, stamp: string, exchanges: ExchangeRecord[] }} Conversation
 */

const prefix = () => key("conversation:");
const MOST_SAVED = 50;
/** @type {Map<string, string>} */
const seen = new Map(); // id -> the stamp under which this tab knows the conversation
/** @type {Map<string, string>} */
const moved = new Map(); // id -> the id under which this tab has saved it since another tab continued it, too

/** @param {any} entry  from the storage, where anything may be */
function isConversation(entry) {
  /** @param {any} record */
  const isRecord = (record) => typeof record?.answer?.question === "string" && Array.isArray(record.answer.passages);
  return /^[\w-]{1,40}$/.test(entry?.id ?? "") && Array.isArray(entry.exchanges) && entry.exchanges.every(isRecord);
}

/**
 * @param {string} key
 * @returns {Conversation | null}
 */
function readConversation(key) {
  const entry = read(key);
  if (!isConversation(entry)) return null;
  return { ...entry, article: String(entry.article ?? ""), title: String(entry.title ?? "") };
}

/** All conversations, the latest first. */
export function all() {
  /** @type {string[]} */
  let keys = [];
  try {
    keys = Object.keys(localStorage);
  } catch {
    // none can be read
  }
  const found = keys.filter((name) => name.startsWith(prefix())).map(readConversation);
  return found.filter((conversation) => conversation !== null).sort((a, b) => b.time - a.time);
}

/**
 * The conversation, which this tab then continues; null where there is none.
 * @param {string} id
 */
export function open(id) {
  const conversation = readConversation(prefix() + id);
  if (!conversation) return null;
  seen.set(id, conversation.stamp);
  setCurrent(id, conversation.article);
  return conversation;
}

/**
 * @param {string} id
 * @param {string} article
 */
function setCurrent(id, article) {
  write(key("current"), { id, article }, "sessionStorage");
  write(key("current"), { id, article });
}

/** The conversation and the article of this tab when it was left, or of the browser; "" for none, and for the shared articles. */
export function current() {
  const { id, article } = read(key("current"), "sessionStorage") ?? read(key("current")) ?? {};
  return { id: String(id ?? ""), article: String(article ?? "") };
}

/** @param {string} article  about which no conversation is open now */
export const close = (article) => setCurrent("", article);

/**
 * A question of this tab that was not answered before the page was left.
 * @returns {string | null}
 */
export const draft = () => read(key("draft"), "sessionStorage");
/** @param {string} text */
export const saveDraft = (text) => write(key("draft"), text, "sessionStorage");

/**
 * The id under which the conversation is saved.
 * @param {string} id
 */
export const savedId = (id) => moved.get(id) ?? id;

/** @param {string} id */
export function remove(id) {
  erase(prefix() + id);
  if (current().id === id) close(current().article);
}

/**
 * Save the conversation; under another id where another tab has continued it meanwhile. Whether that worked.
 * @param {string} id
 * @param {About} about
 * @param {ExchangeRecord[]} exchanges
 */
export function save(id, about, exchanges) {
  let name = savedId(id);
  const before = read(prefix() + name);
  if (before && before.stamp !== seen.get(name)) {
    name = newId();
    moved.set(id, name);
  }
  const entry = { id: name, time: Date.now(), stamp: newId(), ...about, exchanges };
  const others = all().filter((other) => other.id !== name);
  for (const old of others.splice(MOST_SAVED - 1)) remove(old.id);
  while (!write(prefix() + name, entry)) {
    const oldest = others.pop();
    if (!oldest) return false;
    remove(oldest.id);
  }
  seen.set(name, entry.stamp);
  setCurrent(name, about.article);
  return true;
}
