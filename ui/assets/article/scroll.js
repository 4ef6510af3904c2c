// Scrolling to a place in the article: the panel alone, never the page.
import { scrollBehavior } from "../dom.js";
import { boxAt, panel, pieces } from "./panel.js";

/** @import { Span } from "./paragraph.js" */

/**
 * Scroll the panel so that the box (of an element or of a range) is in its middle.
 * @param {DOMRect} inner
 */
export function scrollTo(inner) {
  const box = panel();
  const room = Math.max(24, (box.clientHeight - inner.height) / 2);
  const top = box.scrollTop + inner.top - box.getBoundingClientRect().top - room;
  box.scrollTo({ top, behavior: scrollBehavior() });
}

/** @param {Span} span */
export function scrollToSpan(span) {
  const [first] = pieces(span);
  if (!first) return;
  const range = document.createRange();
  range.setStart(first.startContainer, first.startOffset);
  range.setEnd(first.endContainer, first.endOffset);
  scrollTo(range.getBoundingClientRect());
}

/**
 * Scroll to the paragraph at the offset.
 * @param {number} offset
 */
export const scrollToOffset = (offset) => scrollTo(boxAt(offset));
