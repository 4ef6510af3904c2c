// The conversations: kept as they grow, brought back, listed, and what else their tools do.
import { box, article, conversation, isLost, isRunning, lines, press, title, type } from "./drawn.js";
import { element, find } from "./dom.js";
import * as kept from "./kept.js";
import * as own from "./own.js";
import { say } from "./server.js";

let saved = null; // the conversation as last kept
let restoring = null; // the id of the conversation that the server was asked to show
let next = null; // the article to change to when no answer is running any more
let refocus = ""; // the button to focus when the answer is complete

const records = () => lines().map((line) => JSON.parse(line));
export const shownId = () => kept.nameOf(conversation() ?? "");

// Change to the article, and to what was last asked about it.
export function change(id) {
  next = null;
  say("");
  if (isRunning()) next = id;
  else {
    const latest = kept.all().find((conversation) => conversation.article === id && isAbout(conversation));
    kept.leave(id);
    restore((latest && kept.take(latest.id)) ?? { id: "", article: id, exchanges: [] });
  }
}

// Whether the conversation is about articles that are served here, or about one that the visitor added.
function isAbout({ article, exchanges }) {
  const cited = exchanges.flatMap(({ answer }) => answer.passages.map((passage) => passage.document_id));
  return article !== "" || !cited.length || cited.some((id) => own.sharedIds().includes(id));
}

// Keep the conversation where it has changed.
export function keepUp() {
  const name = conversation();
  if (isRunning()) restoring = null;
  else if (name) {
    const state = [name, article(), ...lines()].join("\n");
    const brought = restoring !== null && (restoring === name || !lines().length); // that is kept already
    if (state === saved || (restoring !== null && !brought)) return;
    saved = state;
    restoring = null;
    if (!brought && lines().length && !kept.keep(name, { article: article(), title: title() }, records()))
      say("This browser has no room to keep the conversation: export it before you leave.");
  }
}

// Do what had to wait for the end of the answer.
export function goOn() {
  if (isRunning()) return;
  if (next !== null) change(next);
  if (refocus && find(refocus)) {
    if (document.activeElement === document.body) find(refocus).focus({ preventScroll: true });
    refocus = "";
  }
}

// Ask the server to show the exchanges, under the id; "" for a new conversation.
export function restore({ id, article, exchanges }) {
  restoring = id;
  type(find("#kept-conversation textarea"), JSON.stringify({ id, article, exchanges }));
  press("bring-back");
}

function startAnew() {
  const id = isLost() ? "" : article();
  kept.leave(id);
  restore({ id: "", article: id, exchanges: [] });
  box().focus();
}

// The conversations about the articles that are served and the visitor's own, each to open and to delete.
export function drawKept() {
  const list = kept.all().filter(isAbout).map(({ id, article, title, time, exchanges }) => {
    const name = exchanges[0]?.answer.question ?? "";
    const when = new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const show = element("button", { type: "button", className: "show" }, name);
    const about = own.titleOf(article) ?? `${title} (removed)`;
    show.append(element("span", { className: "when" }, `${about} · ${when}`));
    if (id === shownId()) show.setAttribute("aria-current", "true");
    show.addEventListener("click", () => {
      const conversation = kept.take(id);
      say("");
      if (conversation) restore(conversation);
    });
    const drop = element("button", { type: "button", className: "drop" }, "×");
    drop.setAttribute("aria-label", `Delete: ${name}`);
    drop.addEventListener("click", (event) => {
      event.stopPropagation(); // the list stays open
      kept.remove(id);
      if (id === shownId()) startAnew();
      drawKept();
      find("#kept button, #toolbar summary").focus();
    });
    return element("li", {}, show, drop);
  });
  find("#kept").replaceChildren(list.length ? element("ul", {}, ...list) : element("p", {}, "None are kept yet."));
}

// The title of what the conversation is about, as it was kept where the article is lost.
const about = () => (isLost() && kept.all().find(({ id }) => id === shownId())?.title) || title();
const fileName = (ending) => `${about().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}.${ending}`;

// What the buttons of the tools and under the answers do, by their values.
export const actions = {
  new: startAnew,
  clear() {
    kept.remove(shownId());
    startAnew();
  },
  markdown: () => kept.download(fileName("md"), "text/markdown", kept.asMarkdown(about(), records())),
  json: () => kept.download(fileName("json"), "application/json", kept.asJson(records())),
  retry() {
    refocus = '.exchange:last-of-type [value="retry"]';
    press("retry");
  },
  edit() {
    press("edit");
    box().focus();
  },
  async copy(button) {
    const record = JSON.parse(button.closest(".exchange").querySelector('[name="record"]').value);
    await kept.copy(kept.asText(record));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  },
};
