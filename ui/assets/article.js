// The source panel: shows an article, marks the quotes of an answer, and faintly the passages that it was found in; beside
// it a strip that shows where they lie, above it a search. Quotes are <mark> elements; passages and matches are CSS
// highlights, which leave the document alone. Offsets count UTF-16 units. Texts are set with textContent only: nothing in
// an article is ever read as HTML.
const articles = new Map(); // id -> promise of what the server says, with {starts, text}
let wanted = ""; // the id of the article that was last asked for
let shown = null; // the article in the panel, with the element of each paragraph
let joints = []; // {element, first, last}: the elements that stand for paragraphs with marks
let passages = []; // the ranges that are marked faintly
let matches = []; // what the search found, as ranges
let current = -1; // the match that is looked at
const MOST_MATCHES_MARKED = 1000;
const MOST_COVERED = 2 / 3; // of the article's characters: passages that cover more of it single nothing out

export const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
export const panel = () => document.getElementById("article");

// An element with properties and attributes, and children.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be loaded: ${response.status}`);
  return response.json();
}

async function load(id) {
  const article = await fetchJson((isShared(id) ? "/articles/" : "/own/articles/") + encodeURIComponent(id));
  article.starts = [];
  article.length = 0;
  for (const text of article.paragraphs) {
    article.starts.push(article.length);
    article.length += text.length;
  }
  article.text = article.paragraphs.join("");
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
export async function open(id) {
  wanted = id;
  const article = await fetched(id);
  if (wanted !== id) return false;
  if (shown && shown.article === article) return true;
  const nodes = article.paragraphs.map((_, i) => paragraph(article, i, i));
  shown = { article, nodes };
  joints = [];
  passages = [];
  const box = panel();
  box.removeAttribute("title");
  box.setAttribute("aria-label", "Article: " + article.title);
  box.replaceChildren(...(article.heading === "above" ? [element("h2", {}, article.title)] : []), ...nodes);
  box.scrollTop = 0;
  drawStrip([]);
  search();
  return true;
}

// Show a line, and what can be done, in place of an article that is gone or damaged.
export function vacate(line, ...ways) {
  wanted = "";
  shown = null;
  [joints, passages] = [[], []];
  panel().setAttribute("aria-label", "Article");
  panel().replaceChildren(element("p", {}, line), ...ways);
  document.getElementById("strip").replaceChildren();
  search();
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

// Marks in the shown article; paragraphs that a mark runs across become one, so that no break falls inside a quote.
function paint(marks) {
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
function pieces({ start, end }, { marked = true } = {}) {
  const found = [];
  for (let i = at(start); i <= at(end - 1); ) {
    const joint = joints.find(({ first, last }) => first <= i && i <= last);
    const words = document.createTreeWalker(joint ? joint.element : shown.nodes[i], NodeFilter.SHOW_TEXT);
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

function highlight(name, ranges) {
  if (!CSS.highlights) return; // an older browser: no passages, and the search still counts and scrolls
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

function drawHighlights() {
  if (!shown) return ["passage", "match", "current-match"].forEach((name) => highlight(name, []));
  highlight("passage", passages.flatMap((passage) => pieces(passage, { marked: false })));
  const from = Math.max(0, current - MOST_MATCHES_MARKED / 2);
  const near = matches.slice(from, from + MOST_MATCHES_MARKED).filter((match) => match !== matches[current]);
  highlight("match", near.flatMap((match) => pieces(match)));
  highlight("current-match", current < 0 ? [] : pieces(matches[current]));
}

// Scroll the panel so that the box (of an element or of a range) is in its middle.
function scrollTo(inner, behavior = calm()) {
  const box = panel();
  const room = Math.max(24, (box.clientHeight - inner.height) / 2);
  box.scrollTo({ top: box.scrollTop + inner.top - box.getBoundingClientRect().top - room, behavior });
}

function scrollToRange(range) {
  const [first] = pieces(range);
  if (!first) return;
  const live = document.createRange();
  live.setStart(first.startContainer, first.startOffset);
  live.setEnd(first.endContainer, first.endOffset);
  scrollTo(live.getBoundingClientRect());
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

// Mark the quotes and passages, each {id, start, end}, that lie in the article of `chosen`, or else of the first, or else of
// `home`, and go to it; the mark of `chosen`, if there is one. Passages are marked only where they single something out.
export async function reveal(quotes, found, chosen, home = "") {
  const target = chosen ?? quotes[0] ?? found[0];
  if (!(await open(target?.id ?? home))) return null;
  const here = ({ id }) => id === shown.article.id;
  passages = found.filter(here);
  if (covered(passages) > MOST_COVERED * shown.article.length) passages = [];
  const marks = marksOf(quotes.filter(here), chosen);
  paint(marks);
  drawHighlights();
  drawStrip(marks);
  const mark = panel().querySelector(chosen ? 'mark[aria-current="true"]' : "mark");
  if (mark) scrollTo(mark.getBoundingClientRect());
  return chosen ? mark : null;
}

// --- the strip ------------------------------------------------------------------------------------------------------

// A button for each mark and passage, as far down as it lies in the article; one of them is in the tab order.
function drawStrip(marks) {
  const strip = document.getElementById("strip");
  const { length } = shown.article;
  const stops = [...passages.map((passage) => ["passage", passage]), ...marks.map((mark) => ["quote", mark])];
  stops.sort(([, a], [, b]) => a.start - b.start);
  strip.setAttribute("role", "toolbar");
  strip.setAttribute("aria-orientation", "vertical");
  strip.setAttribute("aria-label", "Where the quotes and passages lie");
  strip.replaceChildren(
    ...stops.map(([kind, range], i) => {
      const name = `${kind === "quote" ? "Quote" : "Passage"}, ${Math.round((100 * range.start) / length)} % in`;
      const stop = element("button", { type: "button", className: kind, title: name, tabIndex: i ? -1 : 0 });
      stop.setAttribute("aria-label", name);
      stop.style.top = `${(100 * range.start) / length}%`;
      stop.style.height = `${(100 * (range.end - range.start)) / length}%`;
      stop.addEventListener("click", () => scrollToRange(range));
      return stop;
    }),
  );
}

function stripClicked(event) {
  const strip = event.currentTarget;
  if (event.target !== strip || !shown) return;
  const share = (event.clientY - strip.getBoundingClientRect().top) / strip.clientHeight;
  const start = Math.min(shown.article.length - 1, Math.max(0, Math.floor(share * shown.article.length)));
  scrollTo((joints.find(({ first, last }) => first <= at(start) && at(start) <= last)?.element ?? shown.nodes[at(start)])
    .getBoundingClientRect());
}

function stripKey(event) {
  const stops = [...event.currentTarget.children];
  const now = stops.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: stops.length - 1 }[event.key];
  if (next === undefined || !stops[next]) return;
  event.preventDefault();
  stops[now].tabIndex = -1;
  stops[next].tabIndex = 0;
  stops[next].focus();
}

// --- the search -----------------------------------------------------------------------------------------------------

// The pattern for the words as a person types them: any white space, either form of apostrophe and quotation mark.
function pattern(words) {
  const literal = words.normalize("NFC").trim().replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return literal.replace(/\s+/g, "\\s+").replace(/['’‘]/g, "['’‘]").replace(/["“”]/g, '["“”]');
}

function search() {
  const words = document.getElementById("find-words").value;
  matches = [];
  if (shown && words.trim()) {
    for (const found of shown.article.text.matchAll(new RegExp(pattern(words), "giu"))) {
      matches.push({ start: found.index, end: found.index + found[0].length });
    }
  }
  current = -1;
  if (matches.length) {
    const from = firstInView();
    const first = matches.findIndex(({ end }) => end > from);
    step(Math.max(0, first) + 1);
  } else {
    drawHighlights();
    count();
  }
}

// The offset at which what is seen of the article begins.
function firstInView() {
  const top = panel().getBoundingClientRect().top;
  let low = 0;
  let high = shown.nodes.length;
  const bottom = (i) => {
    const joint = joints.find(({ first, last }) => first <= i && i <= last);
    return (joint ? joint.element : shown.nodes[i]).getBoundingClientRect().bottom;
  };
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bottom(middle) > top) high = middle;
    else low = middle + 1;
  }
  return shown.article.starts[low] ?? 0;
}

// Go so many matches on, around the ends.
function step(by) {
  if (!matches.length) return;
  current = (current + by + matches.length) % matches.length;
  drawHighlights();
  scrollToRange(matches[current]);
  count();
}

function count() {
  const found = matches.length ? `${(current + 1).toLocaleString("en")} of ${matches.length.toLocaleString("en")}` : "none";
  document.getElementById("find-count").textContent = document.getElementById("find-words").value.trim() ? found : "";
  for (const button of document.querySelectorAll("#find button")) button.disabled = !matches.length;
}

// Fill the panel's frame; once, when the page is there.
export function build() {
  const words = element("input", { type: "search", id: "find-words", placeholder: "Search in the article" });
  words.setAttribute("aria-label", "Search in the article");
  const tally = element("span", { id: "find-count" });
  tally.setAttribute("aria-live", "polite");
  const button = (name, sign, by) => {
    const node = element("button", { type: "button", title: name, disabled: true }, sign);
    node.setAttribute("aria-label", name);
    node.addEventListener("click", () => step(by));
    return node;
  };
  const find = document.getElementById("find");
  find.setAttribute("role", "search");
  find.append(words, tally, button("Previous match", "↑", -1), button("Next match", "↓", 1));
  words.addEventListener("input", search);
  words.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && words.value) {
      words.value = "";
      search();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const strip = document.getElementById("strip");
  strip.addEventListener("click", stripClicked);
  strip.addEventListener("keydown", stripKey);
}
