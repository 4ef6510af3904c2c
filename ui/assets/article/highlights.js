// What is highlighted in the article: the quotes of an answer, and faintly the passages that it was found in; beside it the
// strip, above it the search. Quotes are <mark> elements; passages and matches are CSS highlights, which leave the document
// alone.
import { element, find } from "../dom.js";
import * as pages from "./pages.js";
import { clear, current, paint, panel, pieces, show } from "./panel.js";
import { scrollTo } from "./scroll.js";
import * as search from "./search.js";
import * as strip from "./strip.js";

/** @import { Mark, Span } from "./paragraph.js" */
/** @typedef {Span & { id: string }} Source  a range of the article with the id */

/** @type {Source[]} */
let passages = []; // what is marked faintly
const MOST_COVERED = 2 / 3; // of the article's characters: passages that cover more of it single nothing out

/** @param {string} id */
async function open(id) {
  const before = current();
  if (!(await show(id))) return null;
  const article = current();
  if (article !== before) {
    passages = [];
    strip.draw([], []);
    search.run();
  }
  return article;
}

/**
 * Show a line, and what can be done, in place of an article that is gone or damaged.
 * @param {string} line
 * @param {...HTMLButtonElement} actions
 */
export function showUnavailable(line, ...actions) {
  clear(element("p", {}, line), ...actions);
  pages.follow(null, []);
  passages = [];
  strip.clear();
  search.run();
}

/**
 * @template {Span} S
 * @param {S[]} spans
 */
const inOrder = (spans) => [...spans].sort((a, b) => a.start - b.start);

/**
 * The current quote is one mark whatever overlaps it; what the others have beyond it is joined into plain marks.
 * @param {Span[]} quotes
 * @param {Span | null} chosen
 */
function marksOf(quotes, chosen) {
  /** @type {Mark[]} */
  const marks = [];
  for (const { start, end } of inOrder(quotes)) {
    const parts = chosen
      ? [
          [start, Math.min(end, chosen.start)],
          [Math.max(start, chosen.end), end],
        ]
      : [[start, end]];
    for (const [from, to] of parts) {
      if (from >= to) continue;
      const joint = marks.find((other) => from <= other.end && other.start <= to);
      if (joint) [joint.start, joint.end] = [Math.min(joint.start, from), Math.max(joint.end, to)];
      else marks.push({ start: from, end: to });
    }
  }
  if (chosen) marks.push({ ...chosen, current: true });
  return inOrder(marks);
}

/**
 * How many of the article's characters lie in at least one of the ranges.
 * @param {Span[]} spans
 */
function covered(spans) {
  let [sum, end] = [0, 0];
  for (const span of inOrder(spans)) {
    sum += Math.max(0, span.end - Math.max(span.start, end));
    end = Math.max(end, span.end);
  }
  return sum;
}

/**
 * @param {string} name
 * @param {AbstractRange[]} ranges
 */
function highlight(name, ranges) {
  if (!CSS.highlights) return; // an older browser: no passages, and the search still counts and scrolls
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

function drawHighlights() {
  const { chosen, near } = current() ? search.found() : { chosen: [], near: [] };
  const faint = passages.flatMap((passage) => pieces(passage, { marked: false }));
  highlight("passage", faint);
  highlight(
    "match",
    near.flatMap((match) => pieces(match)),
  );
  highlight(
    "current-match",
    chosen.flatMap((match) => pieces(match)),
  );
}

/**
 * Mark the quotes and passages that lie in the article of `chosen`, or else of the first, or else of `home`, and go to it;
 * what shows `chosen`, if there is one: its mark, or the page that it is on. Passages are marked only where they single something out.
 * @param {Source[]} quotes
 * @param {Source[]} found
 * @param {Source | null} chosen
 */
export async function reveal(quotes, found, chosen, home = "") {
  const target = chosen ?? quotes[0] ?? found[0];
  const article = await open(target?.id ?? home);
  if (!article) return null;
  /** @param {Source} source */
  const isHere = ({ id }) => id === article.id;
  passages = found.filter(isHere);
  if (covered(passages) > MOST_COVERED * article.text.length) passages = [];
  const marks = marksOf(quotes.filter(isHere), chosen);
  paint(marks);
  drawHighlights();
  strip.draw(marks, passages);
  pages.follow(article, marks);
  const mark = find(chosen ? 'mark[aria-current="true"]' : "mark", panel());
  if (mark) scrollTo(mark.getBoundingClientRect());
  return chosen ? (pages.shown() ?? mark) : null;
}

/** Fill the panel's frame; once, when the page is there. */
export function build() {
  search.build(drawHighlights);
  strip.build();
  pages.build();
}
