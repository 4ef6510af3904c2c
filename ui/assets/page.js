// The conversation: follows the answers as the server draws them, and does what their buttons say. What only the server can
// do is asked of it by pressing one of its hidden buttons. The panel beside it is in article.js, the choice
// of articles in own.js, what is kept in kept.js.
import { build, calm, element, fetchJson, panel, reveal, share, vacate } from "./article.js";
import * as kept from "./kept.js";
import * as own from "./own.js";

const LOOK_EVERY = 2000; // milliseconds between two looks whether the server is there
let newest = ""; // the quotes of the latest answer, as last marked
let origin = null; // where the quote in the panel was chosen: {button, exchange, value}
let saved = null; // the records of the conversation as last kept
let restoring = null; // the id of the conversation that the server was asked to show
let refocus = ""; // the button to focus when the answer is complete
let next = null; // the article to change to when no answer is running any more

const find = (selector) => document.querySelector(selector);
const box = () => find("#ask textarea");
const press = (name) => find(`#${name}`).click();
const isRunning = () => find("#conversation .answer.running") !== null;

// Put the text into one of Gradio's boxes as typing it would.
function type(area, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(area, text);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// --- answers and their quotes ---------------------------------------------------------------------------------------

// Ranges from a value "id start end id start end …".
function rangesOf(value) {
  const words = value.split(" ");
  const ranges = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    ranges.push({ id: words[i], start: Number(words[i + 1]), end: Number(words[i + 2]) });
  }
  return ranges;
}

const quotesOf = (answer) => [...answer.querySelectorAll(".card > .source")];
const passagesOf = (answer) => rangesOf(answer.querySelector('[name="passages"]').value);

async function choose(button) {
  const answer = button.closest(".answer");
  const quotes = quotesOf(answer).flatMap(({ value }) => rangesOf(value));
  const mark = await reveal(quotes, passagesOf(answer), rangesOf(button.value)[0]);
  if (!mark) return;
  origin = { button, exchange: exchanges().indexOf(button.closest(".exchange")), value: button.value };
  back.hidden = false;
  panel().scrollIntoView({ block: "nearest", behavior: calm() });
  mark.tabIndex = -1;
  mark.focus({ preventScroll: true });
}

const exchanges = () => [...document.querySelectorAll("#conversation .exchange")];

// The citation that was followed, also where its answer was drawn again since; null where it is gone.
function followed() {
  if (!origin || origin.button.isConnected) return origin?.button ?? null;
  const sources = exchanges()[origin.exchange]?.querySelectorAll(".source") ?? [];
  return [...sources].find(({ value }) => value === origin.value) ?? null;
}

// From the quote back to its citation; only shown where the article stands below the conversation.
const back = element("button", { type: "button", id: "back", hidden: true }, "↑ Back to the answer");
back.addEventListener("click", () => {
  const citation = followed();
  citation.closest("details:not([open])")?.setAttribute("open", "");
  citation.scrollIntoView({ block: "center", behavior: calm() });
  citation.focus({ preventScroll: true });
  hidePeek(); // who comes from the quote need not see it again
});

// A new answer marks its quotes and passages at once; an abstained one, whose quotes are none, the passages alone.
function follow() {
  const answers = document.querySelectorAll("#conversation .exchange > .answer");
  const last = answers[answers.length - 1];
  const buttons = !last || last.classList.contains("abstained") ? [] : quotesOf(last);
  const found = last ? last.querySelector('[name="passages"]').value : "";
  const asked = [article(), shownId(), answers.length, last?.querySelector("legend").textContent].join("\n");
  const key = [asked, ...buttons.map(({ value }) => value), found].join("\n");
  if (key === newest) return;
  if (last && !newest.startsWith(asked)) last.parentElement.scrollIntoView({ block: "start", behavior: calm() });
  newest = key;
  if (isRemoved()) vacate("The text of this article is gone.");
  else if (isDamaged()) vacate("The text of this article cannot be read.", own.removal());
  else {
    const quotes = buttons.flatMap(({ value }) => rangesOf(value));
    reveal(quotes, rangesOf(found), null, article() || own.sharedIds()[0]).catch(console.error);
  }
}

// --- the article that the conversation is about ---------------------------------------------------------------------

// The visitor's own article that the server shows, "" for the shared ones.
const article = () => find('#conversation :is([name="article"], [name="removed"], [name="damaged"])')?.value ?? "";
const isRemoved = () => find('#conversation [name="removed"]') !== null;
const isDamaged = () => find('#conversation [name="damaged"]') !== null;
const isLost = () => isRemoved() || isDamaged();

let exampled = null; // the article whose example questions are there, or are waited for
function followArticle() {
  if (document.title !== `${title()} · article-chat`) document.title = `${title()} · article-chat`;
  const id = article();
  own.follow(id);
  if (exampled === id) return;
  exampled = id;
  find("#questions").replaceChildren();
  if (!isLost()) offerExamples(id).catch(console.error);
}

async function offerExamples(id) {
  const questions = await fetchJson("/examples?own=" + encodeURIComponent(id));
  if (exampled !== id) return;
  if (questions === null) setTimeout(() => exampled === id && offerExamples(id).catch(console.error), 1000);
  else find("#questions").replaceChildren(...questions.map((text) => element("button", { type: "button" }, text)));
}

// Change to the article, and to what was last asked about it.
function change(id) {
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

// --- what is kept ---------------------------------------------------------------------------------------------------

const records = () => [...document.querySelectorAll('#conversation [name="record"]')].map(({ value }) => JSON.parse(value));

const shownId = () => kept.nameOf(find('#conversation [name="conversation"]')?.value ?? "");

function keepUp() {
  const name = find('#conversation [name="conversation"]')?.value;
  if (isRunning()) restoring = null;
  else if (name) {
    const values = [...document.querySelectorAll('#conversation [name="record"]')].map(({ value }) => value);
    const state = [name, article(), ...values].join("\n");
    const brought = restoring !== null && (restoring === name || !values.length); // that is kept already
    if (state === saved || (restoring !== null && !brought)) return;
    saved = state;
    restoring = null;
    if (!brought && values.length && !kept.keep(name, { article: article(), title: title() }, records()))
      say("This browser has no room to keep the conversation: export it before you leave.");
  }
}

// Ask the server to show the exchanges, under the id; "" for a new conversation.
function restore({ id, article, exchanges }) {
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
function drawKept() {
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

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("#tools details[open]")) if (menu !== except) menu.open = false;
}

const title = () => find("h1").textContent;
const fileName = (ending) => `${title().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}.${ending}`;

const actions = {
  new: startAnew,
  clear() {
    kept.remove(shownId());
    startAnew();
  },
  markdown: () => kept.download(fileName("md"), "text/markdown", kept.asMarkdown(title(), records())),
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

// --- the quote behind a [n], on hovering and on focus ---------------------------------------------------------------

const peek = element("div", { id: "peek", role: "tooltip", hidden: true });

function showPeek(button) {
  const card = quotesOf(button.closest(".answer")).find(({ value }) => value === button.value);
  if (!card || card === button) return;
  peek.textContent = card.parentElement.querySelector("blockquote").textContent;
  document.body.append(peek);
  peek.hidden = false;
  button.setAttribute("aria-describedby", "peek");
  const { left, top, bottom } = button.getBoundingClientRect();
  const below = bottom + peek.offsetHeight + 8 < innerHeight;
  peek.style.left = `${Math.max(8, Math.min(left, innerWidth - peek.offsetWidth - 8))}px`;
  peek.style.top = `${below ? bottom : top - peek.offsetHeight}px`;
}

function hidePeek() {
  peek.hidden = true;
  find('[aria-describedby="peek"]')?.removeAttribute("aria-describedby");
}

const textButton = (target) => target instanceof Element && target.closest("#conversation .text .source");
document.addEventListener("mouseover", ({ target }) => textButton(target) && showPeek(textButton(target)));
document.addEventListener("focusin", ({ target }) => (textButton(target) ? showPeek(target) : hidePeek()));
document.addEventListener("focusout", ({ target }) => textButton(target) && hidePeek());
document.addEventListener("mouseout", ({ target, relatedTarget }) => {
  if ((textButton(target) || target === peek) && relatedTarget !== peek && !textButton(relatedTarget)) hidePeek();
});

// --- the server -----------------------------------------------------------------------------------------------------

let run = null; // which run of the server the page talks to
const gone = element("p", { id: "gone", role: "alert", hidden: true });

// Whether the server is there; a new run of it does not know this page: reloaded, it brings the conversation back.
async function look() {
  try {
    const answer = await fetchJson("/alive");
    run ??= answer.run;
    if (answer.run !== run) location.reload();
    gone.hidden = true;
  } catch {
    gone.hidden = false;
    gone.textContent = "The server is not answering. What you wrote is kept, and this goes away when it is back.";
  }
  setTimeout(look, LOOK_EVERY);
}

// Say something in the place of what the server said last.
const said = element("p", { id: "said" });
let answered = ""; // what the server said last
function say(message, className = "") {
  Object.assign(said, { className, textContent: message });
  find("#status").append(said);
}

function followStatus() {
  const now = find("#status p:not(#said)")?.textContent ?? "";
  if (now !== answered && now) say("");
  answered = now;
}

// The question in the box, or the one that is being answered, is there again after a reload.
addEventListener("pagehide", () => {
  const asked = find("#conversation .exchange:has(> .running) .question")?.lastChild.textContent ?? "";
  if (ready) kept.keepDraft(box().value || asked);
});

// --- the page as a whole --------------------------------------------------------------------------------------------

let begun = false;
let ready = false; // the lists of articles are there
async function begin() {
  begun = true;
  document.body.append(gone);
  build();
  find("#reading").before(back);
  find("#status").setAttribute("role", "status"); // on the frame, which stays: what changes inside it is announced
  look();
  kept.belongTo(await own.build(change, say, (message) => say(message, "unseen")));
  if (kept.draft() && !box().value) type(box(), kept.draft());
  share(own.sharedIds());
  ready = true;
  const current = kept.current();
  const conversation = kept.take(current.id);
  if (conversation) restore(conversation);
  else if (current.article && own.titleOf(current.article)) restore({ id: "", article: current.article, exchanges: [] });
  changed();
}

function changed() {
  if (!begun && panel() && box() && find("#kept-conversation textarea")) begin().catch(console.error);
  if (!ready) return;
  // Gradio's own announcer keeps aria-live; one element has the role, so that it can be found.
  for (const other of document.querySelectorAll('.sr-only[role="status"]')) other.removeAttribute("role");
  followStatus();
  followArticle();
  follow();
  keepUp();
  back.hidden = !followed();
  const running = isRunning();
  if (next !== null && !running) change(next);
  own.enable(!running);
  for (const button of document.querySelectorAll("#tools button, #kept button")) button.disabled = running;
  if (refocus && !running && find(refocus)) {
    if (document.activeElement === document.body) find(refocus).focus({ preventScroll: true });
    refocus = "";
  }
}

document.addEventListener("click", (event) => {
  const { target } = event;
  const card = target.closest("#conversation .card");
  const source = target.closest("#conversation .source") ?? (card && card.querySelector(".source"));
  const action = target.closest("#tools button, #conversation .actions button");
  const menu = target.closest("#tools details");
  if (menu && action) menu.querySelector("summary").focus();
  closeMenus(action ? null : menu);
  const example = target.closest("#questions button");
  if (example) {
    type(box(), example.textContent);
    find("#ask .primary").click();
  }
  if (action) Promise.resolve(actions[action.value]?.(action)).catch(console.error);
  else if (source && !(card && String(getSelection()))) choose(source).catch(console.error);
});
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.open) return;
    if (target.contains(find("#kept"))) drawKept();
    else if (target.closest(".exchange")) {
      const fits = target.offsetHeight < find("#conversation").clientHeight;
      target.scrollIntoView({ block: fits ? "nearest" : "start", behavior: calm() });
    }
  },
  true,
);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = find("#tools details[open]");
  if (!peek.hidden) hidePeek();
  else if (menu) {
    menu.querySelector("summary").focus();
    closeMenus();
  } else if (document.activeElement === box() && find("#leave")) press("leave");
  else if (panel().contains(document.activeElement)) followed()?.focus();
});
new MutationObserver(changed).observe(document.documentElement, { childList: true, subtree: true });
changed();
