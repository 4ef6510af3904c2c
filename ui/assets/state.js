// The state of the conversation, as the server has rendered it; and how the server is asked for more: by pressing one of its
// hidden buttons.
import { find, findAll, get } from "./dom.js";

/** @returns {HTMLTextAreaElement} */
export const questionBox = () => get("#ask textarea");
export const articleTitle = () => get("h1").textContent;
export const isRunning = () => find("#conversation .answer.running") !== null;
export const exchanges = () => findAll("#conversation .exchange");

/** The question that is being answered, or "". */
export const runningQuestion = () =>
  find("#conversation .exchange:has(> .running) .question")?.lastChild?.textContent ?? "";

/**
 * The buttons of the quotes that stand below the answer's text.
 * @param {ParentNode} answer
 * @returns {HTMLButtonElement[]}
 */
export const quoteButtons = (answer) => findAll(".card > .source", answer);

/** @param {string} id  of one of Gradio's buttons */
export const press = (id) => get(`#${id}`).click();

/**
 * Put the text into one of Gradio's boxes as typing it would.
 * @param {HTMLTextAreaElement} box
 * @param {string} text
 */
export function typeInto(box, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set?.call(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * What the hidden field of the conversation holds, where there is one.
 * @param {string} name
 */
function field(name) {
  /** @type {HTMLInputElement | null} */
  const input = find(`#conversation [name="${name}"]`);
  return input?.value;
}

/** The ids of the articles that the conversation is about, with spaces between; "" for all the shared ones. */
export const articleId = () => field("article") ?? field("removed") ?? field("damaged") ?? "";
export const isRemoved = () => field("removed") !== undefined;
export const isDamaged = () => field("damaged") !== undefined;
export const isUnavailable = () => isRemoved() || isDamaged();

/** What tells the articles of the conversation, as they were when it was last drawn, from what they were before. */
export const version = () => field("version") ?? "";

/** What the conversation is about, and in which version: what was made of another says nothing of it. */
export const subject = () => `${articleId()}\n${version()}`;

/** The conversation's id, "" until there is one. */
export const conversationId = () => field("conversation") ?? "";

/** @returns {string[]}  a line of JSON for each exchange that is complete: what is to be saved of it */
export function recordLines() {
  /** @type {HTMLInputElement[]} */
  const fields = findAll('#conversation [name="record"]');
  return fields.map(({ value }) => value);
}
