// What the server has drawn of the conversation, and how it is asked for more: by pressing one of its hidden buttons.
import { find } from "./dom.js";

export const box = () => find("#ask textarea");
export const press = (name) => find(`#${name}`).click();
export const title = () => find("h1").textContent;
export const isRunning = () => find("#conversation .answer.running") !== null;
export const exchanges = () => [...document.querySelectorAll("#conversation .exchange")];

// Put the text into one of Gradio's boxes as typing it would.
export function type(area, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(area, text);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// The visitor's own article that the conversation is about, "" for the shared ones.
export const article = () => find('#conversation :is([name="article"], [name="removed"], [name="damaged"])')?.value ?? "";
export const isRemoved = () => find('#conversation [name="removed"]') !== null;
export const isDamaged = () => find('#conversation [name="damaged"]') !== null;
export const isLost = () => isRemoved() || isDamaged();

// The conversation's name, undefined until there is one, and what is to be kept of it: a line of JSON for each exchange.
export const conversation = () => find('#conversation [name="conversation"]')?.value;
export const lines = () => [...document.querySelectorAll('#conversation [name="record"]')].map(({ value }) => value);
