// The source panel: the article with the quotes of an answer marked, and faintly the passages that it was found in; beside
// it the strip, above it the search. Quotes are <mark> elements; passages and matches are CSS highlights, which leave the
// document alone.
import { clear, current, paint, panel, pieces, scrollTo, show } from "./article.js";
import { element } from "./dom.js";
import * as finder from "./search.js";
import * as strip from "./strip.js";

let passages = []; // the ranges that are marked faintly
const MOST_COVERED = 2 / 3; // of the article's characters: passages that cover more of it single nothing out

async function open(id) {
  const before = current();
  if (!(await show(id))) return false;
  if (current() !== before) {
    passages = [];
    strip.draw([], []);
    finder.search();
  }
  return true;
}

// Show a line, and what can be done, in place of an article that is gone or damaged.
export function vacate(line, ...ways) {
  clear(element("p", {}, line), ...ways);
  passages = [];
  strip.clear();
  finder.search();
}

// The current quote is one mark whatever overlaps it; what the others have beyond it is joined into plain marks.
function marksOf(quotes, chosen) {
  const free = [];
  for (const { start, end } of [...quotes].sort((a, b) => a.start - b.start)) {
    const parts = chosen ? [[start, Math.min(end, chosen.start)], [Math.max(start, chosen.end), end]] : [[start, end]];
    for (const [from, to] of parts) {
      if (from >= to) continue;
      const joint = free.find((other) => from <= other.end && other.start <= to);
      if (joint) [joint.start, joint.end] = [Math.min(joint.start, from), Math.max(joint.end, to)];
      else free.push({ start: from, end: to });
    }
  }
  if (chosen) free.push({ ...chosen, current: true });
  return free.sort((a, b) => a.start - b.start);
}

// How many of the article's characters lie in at least one of the ranges.
function covered(ranges) {
  let [sum, end] = [0, 0];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, range.end - Math.max(range.start, end));
    end = Math.max(end, range.end);
  }
  return sum;
}

function highlight(name, ranges) {
  if (!CSS.highlights) return; // an older browser: no passages, and the search still counts and scrolls
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

function drawHighlights() {
  if (!current()) return ["passage", "match", "current-match"].forEach((name) => highlight(name, []));
  const { chosen, near } = finder.found();
  highlight("passage", passages.flatMap((passage) => pieces(passage, { marked: false })));
  highlight("match", near.flatMap((match) => pieces(match)));
  highlight("current-match", chosen.flatMap((match) => pieces(match)));
}

// Mark the quotes and passages, each {id, start, end}, that lie in the article of `chosen`, or else of the first, or else of
// `home`, and go to it; the mark of `chosen`, if there is one. Passages are marked only where they single something out.
export async function reveal(quotes, found, chosen, home = "") {
  const target = chosen ?? quotes[0] ?? found[0];
  if (!(await open(target?.id ?? home))) return null;
  const here = ({ id }) => id === current().id;
  passages = found.filter(here);
  if (covered(passages) > MOST_COVERED * current().text.length) passages = [];
  const marks = marksOf(quotes.filter(here), chosen);
  paint(marks);
  drawHighlights();
  strip.draw(marks, passages);
  const mark = panel().querySelector(chosen ? 'mark[aria-current="true"]' : "mark");
  if (mark) scrollTo(mark.getBoundingClientRect());
  return chosen ? mark : null;
}

// Fill the panel's frame; once, when the page is there.
export function build() {
  finder.build(drawHighlights);
  strip.build();
}
