// The quotes that are pinned, with a person's remarks: one entry of this browser's storage for all articles.
import { key, read, write } from "../storage.js";

/**
 * @typedef {{ question: string, document_id: string, title: string, place: string | null, start: number, end: number,
 *   quote: string, prefix: string, suffix: string }} Quote  as ui/pins.py makes it: offsets count code points
 * @typedef {Quote & { remark: string, time: number }} Note
 */

/** @type {Map<string, string>} */
const remarks = new Map(); // of notes that this tab unpinned: they come back with them

/** @param {Quote} quote */
const range = ({ document_id, start, end }) => `${document_id} ${start} ${end}`;

/** @param {any} entry  from the storage, where anything may be */
function isNote(entry) {
  const texts = ["question", "document_id", "title", "quote", "prefix", "suffix", "remark"];
  const numbers = ["start", "end", "time"];
  return (
    texts.every((name) => typeof entry?.[name] === "string") &&
    numbers.every((name) => Number.isSafeInteger(entry[name]) && entry[name] >= 0) &&
    (entry.place === null || typeof entry.place === "string")
  );
}

/**
 * All notes, in the order in which they were pinned.
 * @returns {Note[]}
 */
export function all() {
  const kept = read(key("notes"));
  return Array.isArray(kept) ? kept.filter(isNote) : [];
}

/**
 * A function that tells whether the same words of the article are pinned.
 * @returns {(quote: Quote) => boolean}
 */
export function isPinned() {
  const ranges = new Set(all().map(range));
  return (quote) => ranges.has(range(quote));
}

/**
 * Pin the quote, or unpin it where it is pinned; whether this browser could keep that.
 * @param {Quote} quote
 */
export function toggle(quote) {
  const notes = all();
  const at = notes.findIndex((note) => range(note) === range(quote));
  if (at < 0) notes.push({ ...quote, remark: remarks.get(range(quote)) ?? "", time: Date.now() });
  else remarks.set(range(quote), notes.splice(at, 1)[0].remark);
  return write(key("notes"), notes);
}

/**
 * Keep the remark with the quote, if that is still pinned; whether this browser could.
 * @param {Quote} quote
 * @param {string} remark
 */
export function keepRemark(quote, remark) {
  const notes = all().map((note) => (range(note) === range(quote) ? { ...note, remark } : note));
  return write(key("notes"), notes);
}

/**
 * Call the function when another tab has changed the notes.
 * @param {() => void} changed
 */
export const onChangeElsewhere = (changed) =>
  addEventListener("storage", (event) => event.key === key("notes") && changed());
