// Paragraphs of the article as elements, with marks in them, and where pages, chapters and what is spoken begin.
import { element } from "../dom.js";

/** @import { Article } from "./load.js" */
/** @typedef {{ start: number, end: number }} Span  a range of the article */
/** @typedef {Span & { current?: boolean }} Mark */

const TRANSCRIPT = /^\p{L}[\p{L}\p{N}\s]*$/u;
/**
 * Whether the text is without a mark and in small letters: the style gives it a capital and a stop.
 * @param {string} text
 */
export const isBare = (text) => TRANSCRIPT.test(text) && text === text.toLowerCase();

const HEADING_SIGN = /^\s*#{1,6}[ \t]+(?=\S.*\s*$)/; // as Markdown begins a line that is a heading

/**
 * The article's paragraphs from the first to the last as one, with marks (sorted, apart, inside it), and with the places that
 * begin in it, or, if that is inside a mark, behind that; white space at its end, and what makes it a heading in Markdown,
 * are kept but not shown.
 * @param {Article} article
 * @param {number} first
 * @param {number} last
 * @param {Mark[]} marks
 */
export function paragraph(article, first, last, marks = []) {
  const isTitle = article.heading === "first" && last === 0;
  const start = article.starts[first];
  const text = article.text.slice(start, article.starts[last + 1]);
  const sign = HEADING_SIGN.exec(text)?.[0] ?? "";
  const node = element("p", isTitle || sign ? { role: "heading", ariaLevel: isTitle ? "2" : "3" } : {});
  if (isBare(text)) node.classList.add("bare");
  const places = placesIn(article, start, start + text.length).map(([at, label]) => {
    const mark = marks.find((other) => other.start < at && at < other.end);
    return { label, at: Math.min(mark ? mark.end : at, start + text.length) - start };
  });
  const isHidden = sign && !places.length && !marks.some((mark) => mark.start < start + sign.length);
  if (isHidden) node.append(element("span", { hidden: true }, sign));
  let at = isHidden ? sign.length : 0;
  /** @param {number} end */
  const write = (end) => {
    while (places.length && places[0].at <= end) {
      const [place] = places.splice(0, 1);
      node.append(text.slice(at, place.at), nameOf(place.label, place.at === 0));
      at = place.at;
    }
    node.append(text.slice(at, end));
    at = end;
  };
  for (const mark of marks) {
    write(mark.start - start);
    at = mark.end - start;
    const marked = element("mark", {}, text.slice(mark.start - start, at));
    if (mark.current) marked.setAttribute("aria-current", "true");
    node.append(marked);
  }
  write(Math.max(at, text.trimEnd().length));
  node.append(element("span", { hidden: true }, text.slice(at)));
  return node;
}

/**
 * Where a place begins: without text of its own, what it says is written by the style.
 * @param {string} label
 * @param {boolean} atStart
 */
function nameOf(label, atStart) {
  const node = element("span", { className: atStart ? "place first" : "place" });
  node.dataset.place = label;
  return node;
}

/**
 * The places that begin in the range.
 * @param {Article} article
 * @param {number} start
 * @param {number} end
 */
function placesIn({ places }, start, end) {
  return places.filter(([at]) => start <= at && at < end);
}
