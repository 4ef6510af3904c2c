// The article in its panel, with marks in it. Offsets count UTF-16 units. Texts are set with textContent only: nothing in an
// article is ever read as HTML.
import { element, get } from "../dom.js";
import { say } from "../status.js";
import { load } from "./load.js";
import { paragraph } from "./paragraph.js";

/** @import { Article } from "./load.js" */
/** @import { Mark, Span } from "./paragraph.js" */
/** @typedef {{ element: HTMLElement, first: number, last: number }} Joint  the element that stands for paragraphs with marks */

const CHANGED = "The article has changed: this is how it is now.";
const NOT_ENGLISH =
  "This article does not seem to be in English. The reader and the language model know English best, so check the quotes.";
let wanted = ""; // the id of the article that was last asked for
/** @type {{ article: Article, nodes: HTMLElement[] } | null} */
let shown = null; // the article in the panel, with the element of each paragraph
/** @type {Joint[]} */
let joints = [];

export const panel = () => get("#article");
/** What is in the panel, or null. */
export const current = () => shown?.article ?? null;

function open() {
  if (!shown) throw new Error("The panel shows no article");
  return shown;
}

/**
 * What leads to the web page at the address; nothing without one.
 * @param {string} address
 */
function linkTo(address) {
  const link = element("a", { href: address, target: "_blank", rel: "noopener noreferrer", lang: "en" }, address);
  return address ? [element("div", { className: "address" }, link)] : [];
}

/**
 * Show the article in the panel, from its beginning, unless it is there already, or is there as it was before it changed;
 * whether no other is wanted meanwhile.
 * @param {string} id
 */
export async function show(id) {
  wanted = id;
  const article = await load(id);
  if (wanted !== id) return false;
  if (shown?.article === article) return true;
  const isNew = shown?.article.id !== id;
  shown = { article, nodes: article.paragraphs.map((_, i) => paragraph(article, i, i)) };
  joints = [];
  const box = panel();
  box.removeAttribute("title");
  box.setAttribute("aria-label", `Article: ${article.title}`);
  box.lang = article.english ? "en" : ""; // "": nobody knows which, so that it is not read out as if it were English
  const note = article.english ? [] : [element("div", { className: "note", role: "note", lang: "en" }, NOT_ENGLISH)];
  const heading = article.heading === "above" ? [element("h2", {}, article.title)] : [];
  const { scrollTop } = box;
  box.replaceChildren(...note, ...heading, ...linkTo(article.address), ...shown.nodes);
  box.scrollTop = isNew ? 0 : scrollTop;
  if (!isNew) say(CHANGED);
  return true;
}

/**
 * Show something else in its place.
 * @param {...Node} nodes
 */
export function clear(...nodes) {
  wanted = "";
  shown = null;
  joints = [];
  panel().setAttribute("aria-label", "Article");
  panel().lang = "en";
  panel().replaceChildren(...nodes);
}

/**
 * The position of the paragraph that holds the offset.
 * @param {number} offset
 */
function at(offset) {
  const { starts } = open().article;
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** @param {number} i  the position of a paragraph */
const jointAt = (i) => joints.find(({ first, last }) => first <= i && i <= last);
/** @param {number} i */
const nodeAt = (i) => jointAt(i)?.element ?? open().nodes[i];

/**
 * Put the marks into the article, in order and apart; paragraphs that a mark runs across become one, so that no break falls
 * inside a quote.
 * @param {Mark[]} marks
 */
export function paint(marks) {
  const { article, nodes } = open();
  for (const joint of joints) joint.element.replaceWith(...nodes.slice(joint.first, joint.last + 1));
  /** @type {{ first: number, last: number, marks: Mark[] }[]} */
  const runs = [];
  for (const mark of marks) {
    const [first, last] = [at(mark.start), at(mark.end - 1)];
    const run = runs.at(-1);
    if (run && first <= run.last) {
      run.last = Math.max(run.last, last);
      run.marks.push(mark);
    } else runs.push({ first, last, marks: [mark] });
  }
  joints = runs.map(({ first, last, marks }) => {
    const node = paragraph(article, first, last, marks);
    nodes[first].before(node);
    for (const old of nodes.slice(first, last + 1)) old.remove();
    return { element: node, first, last };
  });
}

/**
 * The pieces of text, as static ranges, that the span of the article is made of; those inside marks on request only.
 * @param {Span} span
 */
export function pieces({ start, end }, { marked = true } = {}) {
  /** @type {StaticRange[]} */
  const found = [];
  for (let i = at(start); i <= at(end - 1); ) {
    const joint = jointAt(i);
    const texts = document.createTreeWalker(nodeAt(i), NodeFilter.SHOW_TEXT);
    let offset = open().article.starts[joint ? joint.first : i];
    while (texts.nextNode()) {
      const node = /** @type {Text} */ (texts.currentNode);
      const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, node.length)];
      offset += node.length;
      if (from >= to || (!marked && node.parentElement?.localName === "mark")) continue;
      found.push(new StaticRange({ startContainer: node, startOffset: from, endContainer: node, endOffset: to }));
    }
    i = joint ? joint.last + 1 : i + 1;
  }
  return found;
}

/**
 * The box of the paragraph at the offset.
 * @param {number} offset
 */
export const boxAt = (offset) => nodeAt(at(offset)).getBoundingClientRect();

/** The offset at which what is seen of the article begins. */
export function firstInView() {
  const { article, nodes } = open();
  const top = panel().getBoundingClientRect().top;
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (nodeAt(middle).getBoundingClientRect().bottom > top) high = middle;
    else low = middle + 1;
  }
  return article.starts[low] ?? 0;
}
