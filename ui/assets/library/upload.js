// Adding articles: sends them one after the other, and follows how far each is.
import { announce } from "../status.js";
import * as notices from "./notices.js";

export const ARTICLES = "/own/articles";
const LAST = ["done", "failed", "cancelled"];

/**
 * @typedef {{ id: string, title: string, source: string, characters: number, pages: number }} OwnArticle
 * @typedef {{ title: string, like: { title: string }, percent: number }} Nearly  an article that was added, and one from
 *   before that is like it: so many percent of the shorter one's text stand in both
 * @typedef {{ suffixes: string[], text_mb: number, file_mb: number, web_pages: boolean }} Limits  as the server says them
 * @typedef {{ stage: string, id?: string, name?: string, before?: number, done?: number, total?: number, message?: string,
 *   article?: OwnArticle, number?: number, added?: number, without_pages?: number, nearly?: Nearly[] }} Event  a line of the
 *   server's answer
 * @typedef {{ name: string, path: string, request: RequestInit, refused: string }} Upload  `refused` says what is wrong with
 *   it before it is sent
 * @typedef {{ added: () => Promise<void>, finished: (article: OwnArticle, added: number, note: string) => void }} Listener
 *   called after each file, and with the last of the articles that were added together, how many these are, without those
 *   that were there already, and what else there is to say of them, if anything
 */

/** @type {Listener} */
let listener = { async added() {}, finished() {} };
/** @type {Limits | null} */
let limits = null; // until the server has said them, it refuses what it must itself
let waiting = 0; // articles that are on their way
/** @type {Promise<unknown>} */
let queue = Promise.resolve();

export const isAdding = () => waiting > 0;
/** @param {Limits} found */
export function setLimits(found) {
  limits = found;
}
/** @param {Listener} whom */
export function listen(whom) {
  listener = whom;
}

/** @param {File} file */
function refusal({ name, size }) {
  if (!limits) return "";
  const suffix = /\.[^.]*$/.exec(name.toLowerCase())?.[0] ?? "";
  if (!limits.suffixes.includes(suffix)) {
    return `${name}: only ${limits.suffixes.join(", ")} files can be read. Save the article as one of these.`;
  }
  const most = [".txt", ".md", ".markdown"].includes(suffix) ? limits.text_mb : limits.file_mb;
  if (size > most * 1e6) {
    return `${name}: ${(size / 1e6).toFixed(1)} MB is more than the ${most} MB allowed. Add a smaller file.`;
  }
  return "";
}

/**
 * The lines of JSON that the server answers with, as they come.
 * @param {ReadableStream<BufferSource>} body
 * @returns {AsyncGenerator<Event>}
 */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (text + piece.value).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

/**
 * Tell how far it is, with a button that gives it up.
 * @param {string} file
 * @param {Event} event
 */
function tell(file, { stage, id, number = 1, before = 0, done = 0, total = 0 }) {
  const name = number > 1 ? `${file}, article ${number}` : file;
  const others = before === 1 ? "1 article" : `${before} articles`;
  const text =
    {
      sending: `Sending ${name}…`,
      reading: `Reading ${name}…`,
      waiting: `${name} waits for ${others} before it…`,
      indexing: `Indexing ${name}…`,
    }[stage] ?? "";
  const counted = stage === "indexing" && total > 0;
  const giveUp = () => fetch(`/own/arriving/${id}`, { method: "DELETE" }).catch(console.error);
  notices.progress(counted ? `${text} ${done} of ${total} passages` : text, done, total, id ? giveUp : null);
  return text;
}

/**
 * Send what is to be added, and follow how far it is; the last event, which has the article unless it was given up, or an
 * error that says why there is none.
 * @param {Upload} upload
 */
async function send({ name, path, request }) {
  /** @type {Event} */
  let last = { stage: "sending" };
  let said = tell(name, last);
  announce(said);
  try {
    const response = await fetch(path, { method: "POST", ...request });
    if (!response.ok || !response.body) throw new Error((await response.json()).message);
    for await (const event of eventsOf(response.body)) {
      last = event;
      if (LAST.includes(event.stage)) break;
      const text = tell(name, event);
      if (text !== said) announce(text);
      said = text;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // which is how fetch says that the server cannot be reached
  }
  if (last.stage === "failed") throw new Error(last.message);
  if (last.stage === "cancelled") announce(last.added ? `No more of ${name} is added.` : `${name} was not added.`);
  else if (!last.article) throw new Error(`The server went away before ${name} was added. Add it again.`);
  return last;
}

let followed = false;
let again = 0; // the timer after which it is looked at again
/**
 * Tell how far it is with the first of those that are on their way, though not from here: from before a reload, or from
 * another tab.
 * @param {Event[]} arriving
 */
export function follow(arriving) {
  if (isAdding()) return;
  const [first] = arriving;
  clearTimeout(again);
  if (first) {
    tell(first.name ?? "", first);
    again = setTimeout(() => listener.added().catch(console.error), 1000);
  } else if (followed) notices.clear();
  followed = Boolean(first);
}

/**
 * Add them, after those that came before; whether that worked.
 * @param {Upload[]} uploads
 */
function add(uploads) {
  waiting += uploads.length;
  const added = queue.then(() => addEach(uploads));
  queue = added;
  return added;
}

/**
 * That some articles of those that were added cannot be shown as their pages; "" where all can that have some.
 * @param {number} unkept
 * @param {number} added
 */
function noteOf(unkept, added) {
  if (!unkept) return "";
  const whose = added === 1 ? "Its pages" : `The pages of ${unkept} of them`;
  return `${whose} cannot be shown: ${unkept === 1 ? "the file is" : "the files are"} too large to be kept.`;
}

/**
 * Which of the articles that were added are nearly the same as others; "" where none is.
 * @param {Nearly[]} nearly
 * @param {number} added
 */
function likenessOf([first, ...others], added) {
  if (!first) return "";
  const { title, like, percent } = first;
  const which = added === 1 ? "It" : `“${notices.shortened(title)}”`;
  const said = `${which} is nearly the same as “${notices.shortened(like.title)}”: ${percent}% of the shorter one stands in both.`;
  return others.length ? `${said} So it is with ${others.length} more.` : said;
}

/**
 * Add one after the other; the last that was added is shown, and what went wrong with the others is said.
 * @param {Upload[]} uploads
 */
async function addEach(uploads) {
  const failures = [];
  let last = null;
  let added = 0;
  let unkept = 0;
  /** @type {Nearly[]} */
  const nearly = [];
  for (const upload of uploads) {
    try {
      if (upload.refused) throw new Error(upload.refused);
      const event = await send(upload);
      last = event.article ?? last;
      added += event.added ?? 0;
      unkept += event.without_pages ?? 0;
      nearly.push(...(event.nearly ?? []));
      if (event.message) failures.push(event.message);
      await listener.added();
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
    waiting -= 1;
  }
  if (uploads.length) notices.clear();
  const note = [likenessOf(nearly, added), noteOf(unkept, added)].filter(Boolean).join(" ");
  if (last) listener.finished(last, added, note);
  const said = added > 1 ? `${added} articles were added.` : note && "1 article was added.";
  if (failures.length) notices.fail([said, note, ...failures].filter(Boolean).join(" "));
  return failures.length === 0;
}

/** @param {File[]} files */
export const addFiles = (files) =>
  add(
    files.map((file) => ({
      name: file.name,
      path: `${ARTICLES}?name=${encodeURIComponent(file.name)}`,
      request: { body: file, headers: { "Content-Type": "application/octet-stream" } },
      refused: refusal(file),
    })),
  );

/**
 * Add the text as an article; whether that worked.
 * @param {string} title
 * @param {string} text
 */
export function addText(title, text) {
  const refused =
    limits && new Blob([text]).size > limits.text_mb * 1e6
      ? `The text is longer than the ${limits.text_mb} MB allowed. Paste less of it.`
      : "";
  const body = JSON.stringify({ title, text });
  return add([
    {
      name: "the text",
      path: `${ARTICLES}/paste`,
      request: { body, headers: { "Content-Type": "application/json" } },
      refused,
    },
  ]);
}

/**
 * Add the web page as an article; whether that worked.
 * @param {string} address
 */
export const addPage = (address) =>
  add([
    {
      name: address,
      path: `${ARTICLES}/address`,
      request: { body: JSON.stringify({ address }), headers: { "Content-Type": "application/json" } },
      refused: "",
    },
  ]);
