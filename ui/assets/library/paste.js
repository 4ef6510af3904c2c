// The form for pasted text, or the address of a web page in its place, and the button that opens it.
import { button, element } from "../dom.js";
import * as notices from "./notices.js";
import { addPage, addText } from "./upload.js";

const title = element("input", { type: "text", maxLength: 200 });
const text = element("textarea", { rows: 8 });
const label = element("span");
const submit = element("button", { type: "submit", className: "primary" });
let pagesOffered = false; // whether the server fetches web pages
export const opener = button("Paste text", { ariaExpanded: "false" }, () => open(Boolean(form.hidden)));

/**
 * @param {string} name
 * @param {HTMLElement} input
 */
const field = (name, input) => element("label", {}, element("span", {}, name), input);
export const form = element(
  "form",
  { id: "paste", hidden: true },
  field("Title (may be empty)", title),
  element("label", {}, label, text),
  element(
    "p",
    {},
    submit,
    button("Cancel", {}, () => open(false)),
  ),
);
form.setAttribute("aria-label", "Paste text");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.hidden = true; // what was typed stays in it until it is an article
  opener.focus();
  const address = addressIn(text.value);
  const worked = await (address ? addPage(address) : addText(title.value, text.value));
  if (worked) form.reset();
  open(!worked);
});

/**
 * The address of a web page, if that is all that was pasted, and one may be given; "" otherwise.
 * @param {string} pasted
 */
const addressIn = (pasted) => (pagesOffered ? (/^https?:\/\/\S+$/i.exec(pasted.trim())?.[0] ?? "") : "");

/** Say what can be pasted, and what the button does. */
function explain() {
  label.textContent = pagesOffered ? "Text, or the address of a web page" : "Text";
  text.placeholder = pagesOffered ? "Paste text, or the address of a web page" : "";
  const isPage = addressIn(text.value) !== "";
  submit.textContent = isPage ? "Add this page" : "Add this text";
  title.disabled = isPage; // it has its own
}

text.addEventListener("input", explain);
form.addEventListener("reset", () => setTimeout(explain)); // once it is empty
explain();

/** @param {boolean} offered  whether the server fetches web pages */
export function offerPages(offered) {
  pagesOffered = offered;
  explain();
}

/**
 * Open the form, or close it.
 * @param {boolean} opened
 */
export function open(opened) {
  const within = form.contains(document.activeElement);
  notices.cancel({ quietly: true });
  form.hidden = !opened;
  opener.setAttribute("aria-expanded", String(opened));
  if (opened) (text.value ? text : title).focus();
  else if (within) opener.focus();
}
