// The form for pasted text, and the button that opens it.
import { button, element } from "../dom.js";
import * as notices from "./notices.js";
import { addText } from "./upload.js";

const title = element("input", { type: "text", maxLength: 200 });
const text = element("textarea", { rows: 8 });
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
  field("Text", text),
  element(
    "p",
    {},
    element("button", { type: "submit", className: "primary" }, "Add this text"),
    button("Cancel", {}, () => open(false)),
  ),
);
form.setAttribute("aria-label", "Paste text");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.hidden = true; // what was typed stays in it until it is an article
  opener.focus();
  const worked = await addText(title.value, text.value);
  if (worked) form.reset();
  open(!worked);
});

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
