// Answers and their quotes: marks them in the article as they come, shows the one that is clicked, and leads back from it.
import { panel } from "./article.js";
import { button, calm, element, find } from "./dom.js";
import { article, exchanges, isDamaged, isRemoved } from "./drawn.js";
import * as own from "./own.js";
import { reveal, vacate } from "./source.js";

let newest = ""; // the quotes of the latest answer, as last marked
let origin = null; // where the quote in the panel was chosen: {button, exchange, value}

// Ranges from a value "id start end id start end …".
function rangesOf(value) {
  const words = value.split(" ");
  const ranges = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    ranges.push({ id: words[i], start: Number(words[i + 1]), end: Number(words[i + 2]) });
  }
  return ranges;
}

const quotesOf = (answer) => [...answer.querySelectorAll(".card > .source")];
const passagesOf = (answer) => rangesOf(answer.querySelector('[name="passages"]').value);

// Show the quote of the button in the article.
export async function choose(button) {
  const answer = button.closest(".answer");
  const quotes = quotesOf(answer).flatMap(({ value }) => rangesOf(value));
  const mark = await reveal(quotes, passagesOf(answer), rangesOf(button.value)[0]);
  if (!mark) return;
  origin = { button, exchange: exchanges().indexOf(button.closest(".exchange")), value: button.value };
  back.hidden = false;
  panel().scrollIntoView({ block: "nearest", behavior: calm() });
  mark.tabIndex = -1;
  mark.focus({ preventScroll: true });
}

// The citation that was followed, also where its answer was drawn again since; null where it is gone.
export function followed() {
  if (!origin || origin.button.isConnected) return origin?.button ?? null;
  const sources = exchanges()[origin.exchange]?.querySelectorAll(".source") ?? [];
  return [...sources].find(({ value }) => value === origin.value) ?? null;
}

// From the quote back to its citation; only shown where the article stands below the conversation.
const back = button("↑ Back to the answer", { id: "back", hidden: true }, () => {
  const citation = followed();
  citation.closest("details:not([open])")?.setAttribute("open", "");
  citation.scrollIntoView({ block: "center", behavior: calm() });
  citation.focus({ preventScroll: true });
  hidePeek(); // who comes from the quote need not see it again
});

export const build = () => find("#reading").before(back);

// A new answer marks its quotes and passages at once; an abstained one, whose quotes are none, the passages alone. `name` is
// that of the conversation.
export function follow(name) {
  back.hidden = !followed();
  const answers = document.querySelectorAll("#conversation .exchange > .answer");
  const last = answers[answers.length - 1];
  const buttons = !last || last.classList.contains("abstained") ? [] : quotesOf(last);
  const found = last ? last.querySelector('[name="passages"]').value : "";
  const asked = [article(), name, answers.length, last?.querySelector("legend").textContent].join("\n");
  const key = [asked, ...buttons.map(({ value }) => value), found].join("\n");
  if (key === newest) return;
  if (last && !newest.startsWith(asked)) last.parentElement.scrollIntoView({ block: "start", behavior: calm() });
  newest = key;
  if (isRemoved()) vacate("The text of this article is gone.");
  else if (isDamaged()) vacate("The text of this article cannot be read.", own.removal());
  else {
    const quotes = buttons.flatMap(({ value }) => rangesOf(value));
    reveal(quotes, rangesOf(found), null, article() || own.sharedIds()[0]).catch(console.error);
  }
}

// --- the quote behind a [n], on hovering and on focus ---------------------------------------------------------------

const peek = element("div", { id: "peek", role: "tooltip", hidden: true });

function showPeek(button) {
  const card = quotesOf(button.closest(".answer")).find(({ value }) => value === button.value);
  if (!card || card === button) return;
  peek.textContent = card.parentElement.querySelector("blockquote").textContent;
  document.body.append(peek);
  peek.hidden = false;
  button.setAttribute("aria-describedby", "peek");
  const { left, top, bottom } = button.getBoundingClientRect();
  const below = bottom + peek.offsetHeight + 8 < innerHeight;
  peek.style.left = `${Math.max(8, Math.min(left, innerWidth - peek.offsetWidth - 8))}px`;
  peek.style.top = `${below ? bottom : top - peek.offsetHeight}px`;
}

// Whether it was shown.
export function hidePeek() {
  const wasShown = !peek.hidden;
  peek.hidden = true;
  find('[aria-describedby="peek"]')?.removeAttribute("aria-describedby");
  return wasShown;
}

const textButton = (target) => target instanceof Element && target.closest("#conversation .text .source");
document.addEventListener("mouseover", ({ target }) => textButton(target) && showPeek(textButton(target)));
document.addEventListener("focusin", ({ target }) => (textButton(target) ? showPeek(target) : hidePeek()));
document.addEventListener("focusout", ({ target }) => textButton(target) && hidePeek());
document.addEventListener("mouseout", ({ target, relatedTarget }) => {
  if ((textButton(target) || target === peek) && relatedTarget !== peek && !textButton(relatedTarget)) hidePeek();
});
