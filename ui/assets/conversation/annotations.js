// Quotes and notes as W3C Web Annotations (https://www.w3.org/TR/annotation-model/), which other programs find in any copy of
// the article, by its words or by its code points.
/** @import { OnTheWeb } from "./links.js" */
/** @import { Note, Quote } from "./pinned.js" */
/**
 * @typedef {(Quote | Note) & { stands: boolean, web: OnTheWeb | null }} Checked  whether the article says it at its place today,
 *   and where that is on the web
 */

const TEXT_FRAGMENTS = "https://wicg.github.io/scroll-to-text-fragment/";

/**
 * @param {string} value
 * @param {string} purpose
 */
const textualBody = (value, purpose) => ({ type: "TextualBody", value, format: "text/plain", purpose });

/** @param {Checked} quote */
const urn = ({ document_id }) => `urn:article-chat:${encodeURIComponent(document_id)}`;

/** @param {Checked} quote */
function targetOf(quote) {
  const { title, prefix, suffix, start, end, stands, web } = quote;
  const words = { type: "TextQuoteSelector", exact: quote.quote, ...(prefix && { prefix }), ...(suffix && { suffix }) };
  const position = { type: "TextPositionSelector", start, end }; // in the text as it was read here
  const fragment = { type: "FragmentSelector", conformsTo: TEXT_FRAGMENTS, value: web?.fragment };
  return {
    source: { id: web?.address ?? urn(quote), type: "Text", "dc:title": title },
    selector: [words, ...(stands ? [position] : []), ...(web?.fragment ? [fragment] : [])],
  };
}

/**
 * Of the same words, cited and pinned any number of times.
 * @param {Checked[]} quotes
 */
function annotation(quotes) {
  const target = targetOf(quotes[0]);
  const note = quotes.find((quote) => "remark" in quote);
  const questions = [...new Set(quotes.map(({ question }) => question))].map((text) =>
    textualBody(text, "questioning"),
  );
  const remarks = note?.remark.trim() ? [textualBody(note.remark, "commenting")] : [];
  return {
    id: `${urn(quotes[0])}#char=${quotes[0].start},${quotes[0].end}`,
    type: "Annotation",
    motivation: note ? "bookmarking" : "highlighting",
    ...(note && { created: new Date(note.time).toISOString() }),
    body: [...remarks, ...questions],
    target,
  };
}

/**
 * A collection of one page, as JSON-LD.
 * @param {string} label
 * @param {Checked[]} quotes
 */
export function asAnnotations(label, quotes) {
  const same = Map.groupBy(quotes, ({ document_id, start, end }) => `${document_id} ${start} ${end}`);
  const items = [...same.values()].map(annotation);
  const now = new Date().toISOString();
  const id = `urn:article-chat:exported:${now}`;
  const collection = {
    "@context": "http://www.w3.org/ns/anno.jsonld",
    id,
    type: "AnnotationCollection",
    label,
    generator: { id: "urn:article-chat", type: "Software", name: "article-chat" },
    generated: now,
    total: items.length,
    ...(items.length && { first: { id: `${id}#page`, type: "AnnotationPage", startIndex: 0, items } }),
  };
  return `${JSON.stringify(collection, null, 2)}\n`;
}
