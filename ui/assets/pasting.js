// The form for pasted text, and the button that opens it.
import { add, OWN, tooLong } from "./adding.js";
import { button, element } from "./dom.js";
import * as notes from "./notes.js";

const title = element("input", { type: "text", maxLength: 200 });
const text = element("textarea", { rows: 8 });
export const opener = button("Paste text", { ariaExpanded: "false" }, () => open(form.hidden));

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
  const body = JSON.stringify({ title: title.value, text: text.value });
  const request = { body, headers: { "Content-Type": "application/json" } };
  form.hidden = true; // what was typed stays in it until it is an article
  opener.focus();
  const worked = await add([{ name: "the text", path: `${OWN}/paste`, request, refused: tooLong(text.value) }]);
  if (worked) form.reset();
  open(!worked);
});

// Open the form, or close it.
export function open(opened) {
  const within = form.contains(document.activeElement);
  notes.keep({ quietly: true });
  form.hidden = !opened;
  opener.setAttribute("aria-expanded", String(opened));
  if (opened) (text.value ? text : title).focus();
  else if (within) opener.focus();
}
