// What conversations and notes are copied and exported as.
import { linkOf } from "./links.js";

/** @import { Find } from "./links.js" */
/** @import { Note } from "./pinned.js" */
/** @import { Answer, Citation, ExchangeRecord } from "./saved.js" */

/** @param {Pick<Citation, "title" | "place" | "start" | "end">} cited */
export const whereOf = ({ title, place, start, end }) =>
  `${title}, ${place ? `${place}, ` : ""}characters ${start}–${end}`;
/** @param {string} text */
const oneLine = (text) => text.replace(/\s+/g, " ").trim();

/**
 * An answer with its quotes, as plain text.
 * @param {Answer} answer
 */
export function asText(answer) {
  const quotes = answer.citations.map((c) => `[${c.number}] “${oneLine(c.quote)}” (${whereOf(c)})`);
  return [answer.answer, quotes.join("\n")].filter(Boolean).join("\n\n");
}

/**
 * Text as Markdown that shows exactly this text: nothing in it is a heading, a link, an image or HTML.
 * @param {string} text
 */
const markdown = (text) => oneLine(text).replace(/[\\`*_{}[\]()<>#+\-.!|~&$:]/g, "\\$&");

/** @param {ExchangeRecord[]} exchanges */
const answersOf = (exchanges) => exchanges.flatMap(({ answer, earlier }) => [...earlier, answer]);

/**
 * @param {Citation | Note} cited
 * @param {Find} find
 * @param {string} number  as Markdown, before the quote
 */
function markdownQuote(cited, find, number = "") {
  const link = linkOf(find(cited)).replace(/[<>\\\s]/g, encodeURIComponent);
  const where = markdown(whereOf(cited));
  return `> ${number}“${markdown(cited.quote)}”\n>\n> — ${link ? `[${where}](<${link}>)` : where}`;
}

/**
 * @param {string} title
 * @param {ExchangeRecord[]} exchanges
 * @param {Note[]} notes
 * @param {Find} find
 */
export function asMarkdown(title, exchanges, notes, find) {
  const parts = answersOf(exchanges).map((answer) => {
    const quotes = answer.citations.map((cited) => markdownQuote(cited, find, `\\[${cited.number}\\] `));
    return [`## ${markdown(answer.question)}`, markdown(answer.answer), ...quotes].join("\n\n");
  });
  const pinned = notes.flatMap((note) => [
    markdownQuote(note, find),
    ...note.remark.split("\n").map(markdown).filter(Boolean),
  ]);
  return `${[`# ${markdown(title)}`, ...parts, ...(pinned.length ? ["## Notes", ...pinned] : [])].join("\n\n")}\n`;
}

/**
 * Answers and notes, what they cite of web pages with a "link" to its words there.
 * @param {string} title
 * @param {ExchangeRecord[]} exchanges
 * @param {Note[]} notes
 * @param {Find} find
 */
export function asJson(title, exchanges, notes, find) {
  /** @param {Citation | Note} cited */
  const linked = (cited) => ({ ...cited, link: linkOf(find(cited)) || undefined });
  const answers = answersOf(exchanges).map((answer) => ({ ...answer, citations: answer.citations.map(linked) }));
  return `${JSON.stringify({ title, answers, notes: notes.map(linked) }, null, 2)}\n`;
}

/** @param {string} text */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text }); // off this computer, without TLS
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
