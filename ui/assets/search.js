// The search in the article.
import { current as article, firstInView, scrollToRange } from "./article.js";
import { button, element } from "./dom.js";

let matches = []; // what was found, as ranges of the article
let current = -1; // the match that is looked at
let changed = () => {}; // told when other matches are to be marked
const MOST_MARKED = 1000;

const words = element("input", { type: "search", id: "find-words", placeholder: "Search in the article" });
const tally = element("span", { id: "find-count" });

// The match that is looked at, or none, and the others around it, which are to be marked.
export function found() {
  const from = Math.max(0, current - MOST_MARKED / 2);
  const chosen = current < 0 ? [] : [matches[current]];
  return { chosen, near: matches.slice(from, from + MOST_MARKED).filter((match) => match !== chosen[0]) };
}

// The pattern for the words as a person types them: any white space, either form of apostrophe and quotation mark.
function pattern(words) {
  const literal = words.normalize("NFC").trim().replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return literal.replace(/\s+/g, "\\s+").replace(/['’‘]/g, "['’‘]").replace(/["“”]/g, '["“”]');
}

// Search again, in what the panel shows now.
export function search() {
  matches = [];
  if (article() && words.value.trim()) {
    for (const { 0: text, index } of article().text.matchAll(new RegExp(pattern(words.value), "giu"))) {
      matches.push({ start: index, end: index + text.length });
    }
  }
  current = -1;
  if (matches.length) {
    const from = firstInView();
    step(Math.max(0, matches.findIndex(({ end }) => end > from)) + 1);
  } else {
    changed();
    count();
  }
}

// Go so many matches on, around the ends.
function step(by) {
  if (!matches.length) return;
  current = (current + by + matches.length) % matches.length;
  changed();
  scrollToRange(matches[current]);
  count();
}

function count() {
  const said = matches.length ? `${(current + 1).toLocaleString("en")} of ${matches.length.toLocaleString("en")}` : "none";
  tally.textContent = words.value.trim() ? said : "";
  for (const arrow of document.querySelectorAll("#find button")) arrow.disabled = !matches.length;
}

// Fill the search's frame; `mark` is called when other matches are found or looked at.
export function build(mark) {
  changed = mark;
  words.setAttribute("aria-label", "Search in the article");
  tally.setAttribute("aria-live", "polite");
  const arrow = (name, sign, by) => {
    const node = button(sign, { title: name, disabled: true }, () => step(by));
    node.setAttribute("aria-label", name);
    return node;
  };
  const frame = document.getElementById("find");
  frame.setAttribute("role", "search");
  frame.append(words, tally, arrow("Previous match", "↑", -1), arrow("Next match", "↓", 1));
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
}
