// The strip beside the article: where in it the quotes and passages lie.
import { button, findAll, get } from "../dom.js";
import { current } from "./panel.js";
import { scrollToOffset, scrollToSpan } from "./scroll.js";

/** @import { Span } from "./paragraph.js" */

const strip = () => get("#strip");

/**
 * A button for each quote and passage, as far down as it lies in the article; one of them is in the tab order.
 * @param {Span[]} quotes
 * @param {Span[]} passages
 */
export function draw(quotes, passages) {
  const length = current()?.text.length ?? 0;
  const stops = [
    ...passages.map((span) => ({ kind: "Passage", span })),
    ...quotes.map((span) => ({ kind: "Quote", span })),
  ];
  stops.sort((a, b) => a.span.start - b.span.start);
  /** @param {number} part */
  const percent = (part) => (100 * part) / length;
  strip().setAttribute("role", "toolbar");
  strip().setAttribute("aria-orientation", "vertical");
  strip().setAttribute("aria-label", "Where the quotes and passages lie");
  strip().replaceChildren(
    ...stops.map(({ kind, span }, i) => {
      const name = `${kind}, ${Math.round(percent(span.start))} % in`;
      const className = kind.toLowerCase();
      const stop = button("", { className, title: name, tabIndex: i ? -1 : 0 }, () => scrollToSpan(span));
      stop.setAttribute("aria-label", name);
      stop.style.top = `${percent(span.start)}%`;
      stop.style.height = `${percent(span.end - span.start)}%`;
      return stop;
    }),
  );
}

export const clear = () => strip().replaceChildren();

/** @param {MouseEvent} event */
function clicked({ target, clientY }) {
  const article = current();
  if (target !== strip() || !article) return;
  const share = (clientY - strip().getBoundingClientRect().top) / strip().clientHeight;
  const { length } = article.text;
  scrollToOffset(Math.min(length - 1, Math.max(0, Math.floor(share * length))));
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  /** @type {HTMLButtonElement[]} */
  const stops = findAll("button", strip());
  const now = stops.findIndex((stop) => stop.matches(":focus"));
  /** @type {Record<string, number>} */
  const targets = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: stops.length - 1 };
  const next = targets[event.key];
  if (next === undefined || !stops[next]) return;
  event.preventDefault();
  stops[now].tabIndex = -1;
  stops[next].tabIndex = 0;
  stops[next].focus();
}

export function build() {
  strip().addEventListener("click", clicked);
  strip().addEventListener("keydown", pressed);
}
