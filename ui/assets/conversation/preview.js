// The preview of a quote at its [n] in the answer, on hovering and on focus.
import { closest, element, find } from "../dom.js";
import { quoteButtons } from "../state.js";

const preview = element("div", { id: "preview", role: "tooltip", hidden: true });

/** @param {HTMLButtonElement} button */
function show(button) {
  const answer = button.closest(".answer");
  const quote = answer && quoteButtons(answer).find(({ value }) => value === button.value);
  if (!quote) return;
  const said = quote.parentElement?.querySelector("blockquote")?.textContent ?? "";
  const article = quote.parentElement?.querySelector(".of")?.textContent; // where it could be of several
  preview.replaceChildren(...(article ? [element("strong", {}, article)] : []), said);
  document.body.append(preview);
  preview.hidden = false;
  button.setAttribute("aria-describedby", "preview");
  const { left, top, bottom } = button.getBoundingClientRect();
  const below = bottom + preview.offsetHeight + 8 < innerHeight;
  preview.style.left = `${Math.max(8, Math.min(left, innerWidth - preview.offsetWidth - 8))}px`;
  preview.style.top = `${below ? bottom : top - preview.offsetHeight}px`;
}

/** Hide it; whether it was shown. */
export function hide() {
  const wasShown = !preview.hidden;
  preview.hidden = true;
  find('[aria-describedby="preview"]')?.removeAttribute("aria-describedby");
  return wasShown;
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLButtonElement | null}
 */
const citation = (target) => closest(target, ":is(#conversation, #overview) .text .source");

/** @param {Event} event */
function pointedAt({ target }) {
  const button = citation(target);
  if (button) show(button);
  return button !== null;
}

document.addEventListener("mouseover", pointedAt);
document.addEventListener("focusin", (event) => pointedAt(event) || hide());
document.addEventListener("focusout", ({ target }) => citation(target) && hide());
document.addEventListener("mouseout", ({ target, relatedTarget }) => {
  if ((citation(target) || target === preview) && relatedTarget !== preview && !citation(relatedTarget)) hide();
});
