// The article as the pages of the PDF file that it came from, in the place of its text, with the quotes marked on them. The
// server draws a page when it is looked at; one at a time is asked for, and of those wanted meanwhile the last.
import { button, element, find, get, scrollBehavior } from "../dom.js";
import { pathOf } from "./load.js";
import { firstInView, panel } from "./panel.js";
import { scrollTo, scrollToOffset } from "./scroll.js";

/** @import { Article } from "./load.js" */
/** @import { Mark } from "./paragraph.js" */
/** @typedef {[number, number, number, number]} Box  left, top, width and height, as parts of the page's */

const LOST = "The page could not be loaded; try again, or read it in the text.";
const WIDEST = 1600; // pixels of a picture
const SHARP_FROM = 1200; // so many, at least, on any screen: small print is to be read when it is enlarged
const LONGEST_ALT = 300; // characters of a quote in it
/** @type {Set<string>} */
const asPages = new Set(); // the ids of the articles whose pages a person has chosen to see
/** @type {Article | null} */
let article = null;
/** @type {Mark[]} */
let marks = [];
let number = 1; // of the page
let drawn = ""; // the path of the page in the sheet
let drawing = false;

const sheet = element("div", { id: "sheet", role: "region", tabIndex: 0, hidden: true });
const place = element("span", { id: "page-number" });
const note = element("p", { id: "page-note", hidden: true });
const asText = button("Text", {}, () => turn(false));
const asPage = button("Page", {}, () => turn(true));
const previous = button("‹", { title: "Previous page" }, () => step(-1));
const next = button("›", { title: "Next page" }, () => step(1));
const larger = button("Larger", { className: "larger", ariaPressed: "false" }, enlarge);
const steps = element("span", { className: "steps" }, larger, previous, place, next);
const choice = element("span", { className: "choice", role: "group" }, asText, asPage);
const bar = element("div", { id: "views", hidden: true }, choice, steps);

/** The frame of the page where one is shown in the place of the text, or null. */
export const shown = () => (sheet.hidden ? null : sheet);

/**
 * Where the page begins in the text; behind the last page, the text's end.
 * @param {Article} article
 * @param {number} number
 */
const beginOf = ({ places, text }, number) => places[number - 1]?.[0] ?? text.length;

/**
 * The number of the page that the offset is on.
 * @param {Article} article
 * @param {number} offset
 */
const pageAt = ({ places }, offset) => Math.max(1, places.filter(([at]) => at <= offset).length);

const chosen = () => marks.find(({ current }) => current) ?? marks[0];

/**
 * Show what was marked in the article, or, without one, nothing: as pages where that was chosen for it.
 * @param {Article | null} shownArticle
 * @param {Mark[]} marked
 */
export function follow(shownArticle, marked) {
  if (article !== shownArticle) number = 1;
  article = shownArticle;
  marks = marked;
  const mark = chosen();
  if (article && mark) number = pageAt(article, mark.start);
  draw();
}

/** @param {boolean} pages  whether pages are to be shown, rather than the text */
function turn(pages) {
  if (!article || pages === asPages.has(article.id)) return;
  const mark = chosen();
  if (pages) {
    number = pageAt(article, mark ? mark.start : firstInView());
    asPages.add(article.id);
  } else asPages.delete(article.id);
  draw();
  if (pages) return;
  const node = find('mark[aria-current="true"]', panel()) ?? find("mark", panel());
  if (node && mark && number === pageAt(article, mark.start)) scrollTo(node.getBoundingClientRect());
  else if (article.text) scrollToOffset(Math.min(beginOf(article, number), article.text.length - 1));
}

/** @param {number} by */
function step(by) {
  number += by;
  draw();
}

function enlarge() {
  larger.setAttribute("aria-pressed", String(sheet.classList.toggle("large")));
  goToMark();
}

/** Show the text or the page, whichever is chosen, and what can be chosen. */
function draw() {
  const pages = article?.pages ?? 0;
  const seen = article !== null && pages > 0 && asPages.has(article.id);
  bar.hidden = pages === 0;
  steps.hidden = sheet.hidden = !seen;
  panel().hidden = get("#strip").hidden = seen;
  note.hidden = true;
  asText.setAttribute("aria-pressed", String(!seen));
  asPage.setAttribute("aria-pressed", String(seen));
  if (!seen) return;
  place.textContent = `Page ${number} of ${pages}`;
  previous.disabled = number <= 1;
  next.disabled = number >= pages;
  sheet.setAttribute("aria-label", `Page ${number} of ${article?.title}`);
  fill().catch(console.error);
}

/**
 * The marks on the page.
 * @param {Article} article
 */
function marksOn(article) {
  const [start, end] = [beginOf(article, number), beginOf(article, number + 1)];
  return marks.filter((mark) => mark.start < end && start < mark.end);
}

/**
 * Where the server has the picture of the page.
 * @param {Article} article
 * @param {Mark[]} here
 */
function pathTo(article, here) {
  const width = Math.min(WIDEST, Math.round(Math.max(SHARP_FROM, sheet.clientWidth * devicePixelRatio)));
  /** @param {number} offset */
  const characters = (offset) => [...article.text.slice(0, offset)].length;
  const ranges = here.map(({ start, end }) => `&range=${characters(start)}-${characters(end)}`);
  return `${pathOf(article.id)}/pages/${number}?width=${width}${ranges.join("")}`;
}

/** Ask for the page that is wanted, until it is the one that is shown. */
async function fill() {
  if (drawing) return;
  drawing = true;
  sheet.setAttribute("aria-busy", "true");
  try {
    while (article && !sheet.hidden) {
      const here = marksOn(article);
      const path = pathTo(article, here);
      if (path === drawn) {
        explain(article, here);
        break;
      }
      const paper = await pictureOf(path, article, here);
      drawn = typeof paper === "string" ? "" : path;
      sheet.replaceChildren(drawn ? paper : element("p", {}, paper));
      sheet.scrollTo({ top: 0 });
      if (!drawn) break;
    }
  } finally {
    drawing = false;
    sheet.removeAttribute("aria-busy");
  }
  goToMark();
}

/** Scroll the page so that its chosen quote, or else its first, is in the middle. */
function goToMark() {
  const mark = find(".current", sheet) ?? find(".mark", sheet);
  if (!mark) return;
  const top = mark.offsetTop - Math.max(24, (sheet.clientHeight - mark.offsetHeight) / 2);
  const left = mark.offsetLeft - Math.max(24, (sheet.clientWidth - mark.offsetWidth) / 2);
  sheet.scrollTo({ top, left, behavior: scrollBehavior() });
}

/**
 * The page with its marks, or a line that says why it cannot be seen.
 * @param {string} path
 * @param {Article} article
 * @param {Mark[]} here
 */
async function pictureOf(path, article, here) {
  try {
    const response = await fetch(path);
    /** @type {{ message?: string, picture: string, marks: Box[][] }} */
    const { message, picture, marks } = await response.json();
    if (!response.ok) return message ?? LOST;
    const image = element("img", { src: picture, alt: altOf(article, here) });
    await image.decode();
    const boxes = marks.flatMap((boxes, i) => boxes.map((box) => boxOf(box, here[i])));
    const paper = element("div", { className: "paper" }, image, ...boxes);
    if (marks.some((boxes) => !boxes.length)) paper.dataset.unplaced = "";
    return paper;
  } catch {
    return LOST;
  }
}

/**
 * @param {Box} box
 * @param {Mark} mark
 */
function boxOf([left, top, width, height], { current }) {
  const node = element("span", { className: current ? "mark current" : "mark", ariaHidden: "true" });
  Object.assign(node.style, {
    left: `${100 * left}%`,
    top: `${100 * top}%`,
    width: `${100 * width}%`,
    height: `${100 * height}%`,
  });
  return node;
}

/**
 * @param {Article} article
 * @param {Mark[]} here
 */
function altOf(article, here) {
  const [start, end] = [beginOf(article, number), beginOf(article, number + 1)];
  const words = here.map((mark) => article.text.slice(Math.max(start, mark.start), Math.min(end, mark.end)).trim());
  const said = words.map((text) => (text.length > LONGEST_ALT ? `“${text.slice(0, LONGEST_ALT)}…”` : `“${text}”`));
  const marked = said.length ? ` Marked on it: ${said.join(" ")}` : "";
  return `Page ${number} of ${article.pages}, as it is in the PDF file.${marked}`;
}

/**
 * Say what the page does not show of the quotes.
 * @param {Article} article
 * @param {Mark[]} here
 */
function explain(article, here) {
  const [start, end] = [beginOf(article, number), beginOf(article, number + 1)];
  const said = [];
  if (find("[data-unplaced]", sheet)) said.push("Its words could not be placed on this page.");
  if (here.some((mark) => mark.end > end)) said.push("The quote goes on on the next page.");
  if (here.some((mark) => mark.start < start)) said.push("The quote begins on the page before.");
  note.textContent = said.join(" ");
  note.hidden = !said.length;
}

/** Put the choice above the article, and the page beside its text; once, when the page is there. */
export function build() {
  choice.setAttribute("aria-label", "Show the article as");
  place.setAttribute("aria-live", "polite");
  for (const arrow of [previous, next]) arrow.setAttribute("aria-label", arrow.title);
  get("#reading").before(bar, note);
  panel().after(sheet);
  get("#search-words").addEventListener("input", () => turn(false)); // its matches are in the text
}
