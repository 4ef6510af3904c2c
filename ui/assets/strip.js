// The strip beside the article: where in it the quotes and passages lie.
import { current, scrollToOffset, scrollToRange } from "./article.js";
import { button } from "./dom.js";

const strip = () => document.getElementById("strip");

// A button for each quote and passage, as far down as it lies in the article; one of them is in the tab order.
export function draw(quotes, passages) {
  const length = current().text.length;
  const stops = [...passages.map((range) => ["passage", range]), ...quotes.map((range) => ["quote", range])];
  stops.sort(([, a], [, b]) => a.start - b.start);
  const share = (part) => (100 * part) / length;
  strip().setAttribute("role", "toolbar");
  strip().setAttribute("aria-orientation", "vertical");
  strip().setAttribute("aria-label", "Where the quotes and passages lie");
  strip().replaceChildren(
    ...stops.map(([kind, range], i) => {
      const name = `${kind === "quote" ? "Quote" : "Passage"}, ${Math.round(share(range.start))} % in`;
      const stop = button("", { className: kind, title: name, tabIndex: i ? -1 : 0 }, () => scrollToRange(range));
      stop.setAttribute("aria-label", name);
      stop.style.top = `${share(range.start)}%`;
      stop.style.height = `${share(range.end - range.start)}%`;
      return stop;
    }),
  );
}

export const clear = () => strip().replaceChildren();

function clicked({ target, clientY }) {
  if (target !== strip() || !current()) return;
  const share = (clientY - strip().getBoundingClientRect().top) / strip().clientHeight;
  const { length } = current().text;
  scrollToOffset(Math.min(length - 1, Math.max(0, Math.floor(share * length))));
}

function pressed(event) {
  const stops = [...strip().children];
  const now = stops.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: stops.length - 1 }[event.key];
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
