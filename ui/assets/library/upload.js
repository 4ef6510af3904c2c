// Adding articles: sends them one after the other, and follows how far each is.
import { announce } from "../status.js";
import * as notices from "./notices.js";

export const ARTICLES = "/own/articles";

/**
 * @typedef {{ id: string, title: string, source: string, characters: number, pages: number }} OwnArticle
 * @typedef {{ suffixes: string[], text_mb: number, file_mb: number }} Limits  as the server says them
 * @typedef {{ stage: string, done?: number, total?: number, message?: string, article?: OwnArticle }} Event  a line of the
 *   server's answer
 * @typedef {{ name: string, path: string, request: RequestInit, refused: string }} Upload  `refused` says what is wrong with
 *   it before it is sent
 * @typedef {{ added: () => Promise<void>, finished: (article: OwnArticle) => void }} Listener  called after each article, and
 *   with the last of those that were added together
 */

/** @type {Listener} */
let listener = { async added() {}, finished() {} };
/** @type {Limits} */
let limits = { suffixes: [], text_mb: 0, file_mb: 0 };
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
 * Send what is to be added, and follow how far it is; the article, or an error that says why there is none.
 * @param {Upload} upload
 */
async function send({ name, path, request }) {
  let stage = "sending";
  /** @type {Event | null} */
  let last = null;
  /** @param {string} text */
  const begin = (text) => {
    announce(text);
    notices.progress(text);
  };
  begin(`Sending ${name}…`);
  try {
    const response = await fetch(path, { method: "POST", ...request });
    if (!response.ok || !response.body) throw new Error((await response.json()).message);
    for await (const event of eventsOf(response.body)) {
      last = event;
      const isNew = event.stage !== stage;
      stage = event.stage;
      if (isNew && stage === "reading") begin(`Reading ${name}…`);
      else if (isNew && stage === "waiting") begin(`${name} waits for articles that came before…`);
      else if (isNew && stage === "indexing") begin(`Indexing ${name}…`);
      if (stage === "indexing") {
        const { done = 0, total = 0 } = event;
        notices.progress(`Indexing ${name}… ${done} of ${total} passages`, done, total);
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // which is how fetch says that the server cannot be reached
  }
  if (last?.stage === "failed") throw new Error(last.message);
  if (last?.stage !== "done" || !last.article)
    throw new Error(`The server went away before ${name} was added. Add it again.`);
  return last.article;
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
 * Add one after the other; the last that was added is shown, and what went wrong with the others is said.
 * @param {Upload[]} uploads
 */
async function addEach(uploads) {
  const failures = [];
  let added = null;
  for (const upload of uploads) {
    try {
      if (upload.refused) throw new Error(upload.refused);
      added = await send(upload);
      await listener.added();
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
    waiting -= 1;
  }
  if (uploads.length) notices.clear();
  if (added) listener.finished(added);
  if (failures.length) notices.fail(failures.join(" "));
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
  const tooLong = new Blob([text]).size > limits.text_mb * 1e6;
  const body = JSON.stringify({ title, text });
  return add([
    {
      name: "the text",
      path: `${ARTICLES}/paste`,
      request: { body, headers: { "Content-Type": "application/json" } },
      refused: tooLong ? `The text is longer than the ${limits.text_mb} MB allowed. Paste less of it.` : "",
    },
  ]);
}
