// The articles, as the server has them: each is fetched once, and a shared one again where the shared ones have changed.
import { fetchJson } from "../dom.js";
import { version } from "../state.js";

/**
 * @typedef Article  as ui/paragraphs.py describes it, with the text whole and the offset at which each paragraph starts
 * @property {string} id
 * @property {string} title
 * @property {string} address  of the web page that it was, "" of others
 * @property {"above" | "first" | ""} heading
 * @property {string[]} paragraphs
 * @property {[number, string][]} places
 * @property {number} pages  how many can be shown
 * @property {boolean} english
 * @property {string} text
 * @property {number[]} starts
 */

/** @typedef {{ version: string, article: Promise<Article> }} Loaded  the version is that of the conversation's articles */
/** @type {Map<string, Loaded>} */
const articles = new Map();
/** @type {string[]} */
let shared = [];

/** @param {string[]} ids  of the articles that are shared; the others are the visitor's own */
export function setShared(ids) {
  shared = ids;
}

/**
 * Where the server has the article.
 * @param {string} id
 */
export const pathOf = (id) => (shared.includes(id) ? "/articles/" : "/own/articles/") + encodeURIComponent(id);

/**
 * @param {string} id
 * @param {Promise<Article>} [before]  the article as it was; that very object where it is still so
 */
async function fetchArticle(id, before) {
  /** @type {Omit<Article, "text" | "starts">} */
  const article = await fetchJson(pathOf(id));
  const old = await before?.catch(() => null);
  if (old && JSON.stringify({ ...old, ...article }) === JSON.stringify(old)) return old;
  let text = "";
  const starts = article.paragraphs.map((paragraph) => {
    const start = text.length;
    text += paragraph;
    return start;
  });
  return { ...article, text, starts };
}

/**
 * The article; asked for again where it could not be had.
 * @param {string} id
 */
export function load(id) {
  const known = articles.get(id);
  const wanted = shared.includes(id) ? version() : "";
  if (known?.version === wanted) return known.article;
  const article = fetchArticle(id, known?.article);
  article.catch(() => articles.delete(id));
  articles.set(id, { version: wanted, article });
  return article;
}

/**
 * The range of a quote, known by its code points, in UTF-16 units; null where the article does not say it there.
 * @param {Article} article
 * @param {{ start: number, end: number, quote: string }} quote
 */
export function rangeIn({ text }, { start, end, quote }) {
  const before = [...text.slice(0, 2 * start)].slice(0, start).join("").length; // no character is longer than two
  const after = before + quote.length;
  return text.slice(before, after) === quote && [...quote].length === end - start
    ? { start: before, end: after }
    : null;
}
