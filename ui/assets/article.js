// The article in the source panel: its text in paragraphs, with marks in it. Offsets count UTF-16 units. Texts are set with
// textContent only: nothing in an article is ever read as HTML.
import { calm, element, fetchJson } from "./dom.js";

const articles = new Map(); // id -> promise of what the server says, with {starts, text}
let wanted = ""; // the id of the article that was last asked for
let shown = null; // the article in the panel, with the element of each paragraph
let joints = []; // {element, first, last}: the elements that stand for paragraphs with marks

export const panel = () => document.getElementById("article");
// What is in the panel, or null: {id, text, …}.
export const current = () => shown?.article ?? null;

async function load(id) {
  const article = await fetchJson((isShared(id) ? "/articles/" : "/own/articles/") + encodeURIComponent(id));
  article.starts = [];
  article.text = "";
  for (const text of article.paragraphs) {
    article.starts.push(article.text.length);
    article.text += text;
  }
  return article;
}

function fetched(id) {
  if (!articles.has(id)) {
    const loading = load(id);
    loading.catch(() => articles.delete(id));
    articles.set(id, loading);
  }
  return articles.get(id);
}

// The article's paragraphs from the first to the last as one, with marks (sorted, apart, inside it), and with the pages that
// begin in it, or, if that is inside a mark, behind that; white space at its end is kept but not shown.
function paragraph(article, first, last, marks = []) {
  const isTitle = article.heading === "first" && last === 0;
  const node = element("p", isTitle ? { role: "heading", ariaLevel: "2" } : {});
  const start = article.starts[first];
  const text = article.text.slice(start, article.starts[last + 1]);
  const length = text.trimEnd().length;
  const turns = pagesIn(article, start, start + text.length).map(({ number, at }) => {
    const mark = marks.find((other) => other.start < at && at < other.end);
    return { number, at: Math.min(mark ? mark.end : at, start + text.length) - start };
  });
  let at = 0;
  const write = (end) => {
    while (turns.length && turns[0].at <= end) {
      const { number, at: turn } = turns.shift();
      node.append(text.slice(at, turn), pageMark(number, turn === 0));
      at = turn;
    }
    node.append(text.slice(at, end));
    at = end;
  };
  for (const mark of marks) {
    write(mark.start - start);
    at = mark.end - start;
    const found = element("mark", {}, text.slice(mark.start - start, at));
    if (mark.current) found.setAttribute("aria-current", "true");
    node.append(found);
  }
  write(Math.max(at, length));
  node.append(element("span", { hidden: true }, text.slice(at)));
  return node;
}

// Where a page begins: without text of its own, what it says is written by the style.
function pageMark(number, atStart) {
  const node = element("span", { className: atStart ? "page first" : "page" });
  node.dataset.page = number;
  return node;
}

// The pages that begin in the range, each {number, at}.
function pagesIn({ pages }, start, end) {
  return pages.map((at, i) => ({ number: i + 1, at })).filter(({ at }) => start <= at && at < end);
}

// Tell the panel which articles are shared; the others are the visitor's own.
export function share(ids) {
  isShared = (id) => ids.includes(id);
}
let isShared = () => true;

// Show the article in the panel, from its beginning, unless it is there already; whether no other is wanted meanwhile.
export async function show(id) {
  wanted = id;
  const article = await fetched(id);
  if (wanted !== id) return false;
  if (shown?.article === article) return true;
  shown = { article, nodes: article.paragraphs.map((_, i) => paragraph(article, i, i)) };
  joints = [];
  const box = panel();
  box.removeAttribute("title");
  box.setAttribute("aria-label", "Article: " + article.title);
  box.replaceChildren(...(article.heading === "above" ? [element("h2", {}, article.title)] : []), ...shown.nodes);
  box.scrollTop = 0;
  return true;
}

// Show something else in its place.
export function clear(...nodes) {
  wanted = "";
  shown = null;
  joints = [];
  panel().setAttribute("aria-label", "Article");
  panel().replaceChildren(...nodes);
}

// The position of the paragraph that holds the offset.
function at(offset) {
  let low = 0;
  let high = shown.article.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (shown.article.starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

// The element that the paragraph with the position is in.
const nodeAt = (i) => jointAt(i)?.element ?? shown.nodes[i];
const jointAt = (i) => joints.find(({ first, last }) => first <= i && i <= last);

// Put the marks into the article, in order and apart; paragraphs that a mark runs across become one, so that no break falls
// inside a quote.
export function paint(marks) {
  const { article, nodes } = shown;
  for (const { element: joint, first, last } of joints) joint.replaceWith(...nodes.slice(first, last + 1));
  joints = [];
  for (const mark of marks) {
    const [first, last] = [at(mark.start), at(mark.end - 1)];
    const open = joints[joints.length - 1];
    if (open && first <= open.last) {
      open.last = Math.max(open.last, last);
      open.marks.push(mark);
    } else joints.push({ first, last, marks: [mark] });
  }
  for (const joint of joints) {
    joint.element = paragraph(article, joint.first, joint.last, joint.marks);
    const old = nodes.slice(joint.first, joint.last + 1);
    old[0].before(joint.element);
    old.forEach((node) => node.remove());
  }
}

// The pieces of text, as static ranges, that the range of the article is made of; those inside marks on request only.
export function pieces({ start, end }, { marked = true } = {}) {
  const found = [];
  for (let i = at(start); i <= at(end - 1); ) {
    const joint = jointAt(i);
    const words = document.createTreeWalker(nodeAt(i), NodeFilter.SHOW_TEXT);
    let offset = shown.article.starts[joint ? joint.first : i];
    for (let node = words.nextNode(); node; offset += node.length, node = words.nextNode()) {
      const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, node.length)];
      if (from >= to || (!marked && node.parentNode.localName === "mark")) continue;
      found.push(new StaticRange({ startContainer: node, startOffset: from, endContainer: node, endOffset: to }));
    }
    i = joint ? joint.last + 1 : i + 1;
  }
  return found;
}

// Scroll the panel so that the box (of an element or of a range) is in its middle.
export function scrollTo(inner, behavior = calm()) {
  const box = panel();
  const room = Math.max(24, (box.clientHeight - inner.height) / 2);
  box.scrollTo({ top: box.scrollTop + inner.top - box.getBoundingClientRect().top - room, behavior });
}

export function scrollToRange(range) {
  const [first] = pieces(range);
  if (!first) return;
  const live = document.createRange();
  live.setStart(first.startContainer, first.startOffset);
  live.setEnd(first.endContainer, first.endOffset);
  scrollTo(live.getBoundingClientRect());
}

// Scroll to the paragraph at the offset.
export const scrollToOffset = (offset) => scrollTo(nodeAt(at(offset)).getBoundingClientRect());

// The offset at which what is seen of the article begins.
export function firstInView() {
  const top = panel().getBoundingClientRect().top;
  let low = 0;
  let high = shown.nodes.length;
  const bottom = (i) => nodeAt(i).getBoundingClientRect().bottom;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bottom(middle) > top) high = middle;
    else low = middle + 1;
  }
  return shown.article.starts[low] ?? 0;
}
