// Links to the very words of the web page that an article was, by text fragments, which browsers go to and mark
// (https://wicg.github.io/scroll-to-text-fragment/).
import { load, rangeIn } from "../article/load.js";
import { titleOf } from "../library/library.js";
import { isUnavailable } from "../state.js";

/**
 * @typedef {{ document_id: string, start: number, end: number, quote: string }} Cited  offsets count code points
 * @typedef {{ address: string, fragment: string }} OnTheWeb  the fragment is "" where the article says it there no more
 * @typedef {(cited: Cited) => OnTheWeb | null} Find
 */

const FEW = 5; // words that stand for the beginning, or the end, of a long quote
const BREAKS = /\s*\n\s*(?:- )?| \| /; // between paragraphs, list items and cells, over which no text of a fragment goes

/** @param {string} text */
const wordsOf = (text) => text.split(/\s+/).filter(Boolean);
/** @param {string[]} words */
const encoded = (words) =>
  encodeURIComponent(words.join(" ")).replace(/[-!~*'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The directive for the words of the text from `start` to `end`, in UTF-16 units: all of them, or the first and the last few
 * of many; with the words around them on their line where others are like them, as a browser goes to the first that fit.
 * @param {string} text
 * @param {{ start: number, end: number }} range
 */
export function textFragment(text, { start, end }) {
  const quote = text.slice(start, end).replace(/^- /, "");
  const parts = quote
    .split(BREAKS)
    .map(wordsOf)
    .filter(({ length }) => length);
  const [first = [], last = []] = [parts[0], parts.at(-1)];
  const isShort = parts.length < 2 && first.length <= 2 * FEW;
  const head = isShort ? first : first.slice(0, FEW);
  const tail = isShort ? [] : last.slice(-FEW);
  const said = `${text.slice(0, start)}\n`.toLowerCase().includes(head.join(" ").toLowerCase());
  const ends = tail.length > 0 && quote.toLowerCase().split(tail.join(" ").toLowerCase()).length > 2;
  const before = said || ends ? wordsOf(text.slice(0, start).split(BREAKS).at(-1) ?? "").slice(-FEW) : [];
  const after = said || ends ? wordsOf(text.slice(end).split(BREAKS)[0]).slice(0, FEW) : [];
  const terms = [
    before.length ? `${encoded(before)}-` : "",
    encoded(head),
    encoded(tail),
    after.length ? `-${encoded(after)}` : "",
  ];
  return `:~:text=${terms.filter(Boolean).join(",")}`;
}

/**
 * A function that finds where on the web it is that something is cited from; null where its article is no web page, or gone.
 * @param {Cited[]} cited
 * @returns {Promise<Find>}
 */
export async function onTheWeb(cited) {
  const ids = new Set(cited.map(({ document_id }) => document_id));
  const there = [...ids].filter((id) => !isUnavailable() && titleOf(id) !== undefined);
  const articles = await Promise.all(there.map((id) => load(id).catch(() => null)));
  return (quote) => {
    const article = articles.find((one) => one?.id === quote.document_id);
    if (!article?.address) return null;
    const range = rangeIn(article, quote);
    return { address: article.address, fragment: range ? textFragment(article.text, range) : "" };
  };
}

/**
 * The link, "" for none.
 * @param {OnTheWeb | null} found
 */
export const linkOf = (found) => [found?.address, found?.fragment].filter(Boolean).join("#");
