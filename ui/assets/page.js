// The page as a whole: begins when Gradio has drawn it, follows each change, and hands on what is clicked. The source panel is
// in source.js, the choice of articles in own.js, the answers in answers.js, what is kept in conversations.js.
import * as answers from "./answers.js";
import { panel, share } from "./article.js";
import * as conversations from "./conversations.js";
import { calm, element, fetchJson, find } from "./dom.js";
import { article, box, isLost, isRunning, press, title, type } from "./drawn.js";
import * as kept from "./kept.js";
import * as own from "./own.js";
import * as server from "./server.js";
import * as source from "./source.js";

let begun = false;
let ready = false; // the lists of articles are there
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

// The question in the box, or the one that is being answered, is there again after a reload.
addEventListener("pagehide", () => {
  const asked = find("#conversation .exchange:has(> .running) .question")?.lastChild.textContent ?? "";
  if (ready) kept.keepDraft(box().value || asked);
});

async function begin() {
  begun = true;
  source.build();
  answers.build();
  server.build();
  kept.belongTo(await own.build(conversations.change, server.say, (message) => server.say(message, "unseen")));
  if (kept.draft() && !box().value) type(box(), kept.draft());
  share(own.sharedIds());
  ready = true;
  const current = kept.current();
  const conversation = kept.take(current.id);
  if (conversation) conversations.restore(conversation);
  else if (current.article && own.titleOf(current.article)) {
    conversations.restore({ id: "", article: current.article, exchanges: [] });
  }
  changed();
}

function changed() {
  if (!begun && panel() && box() && find("#kept-conversation textarea")) begin().catch(console.error);
  if (!ready) return;
  // Gradio's own announcer keeps aria-live; one element has the role, so that it can be found.
  for (const other of document.querySelectorAll('.sr-only[role="status"]')) other.removeAttribute("role");
  server.follow();
  followArticle();
  answers.follow(conversations.shownId());
  conversations.keepUp();
  own.enable(!isRunning());
  for (const button of document.querySelectorAll("#tools button, #kept button")) button.disabled = isRunning();
  conversations.goOn();
}

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("#tools details[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => {
  const { target } = event;
  const card = target.closest("#conversation .card");
  const cited = target.closest("#conversation .source") ?? (card && card.querySelector(".source"));
  const action = target.closest("#tools button, #conversation .actions button");
  const menu = target.closest("#tools details");
  if (menu && action) menu.querySelector("summary").focus();
  closeMenus(action ? null : menu);
  const example = target.closest("#questions button");
  if (example) {
    type(box(), example.textContent);
    find("#ask .primary").click();
  }
  if (action) Promise.resolve(conversations.actions[action.value]?.(action)).catch(console.error);
  else if (cited && !(card && String(getSelection()))) answers.choose(cited).catch(console.error);
});
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.open) return;
    if (target.contains(find("#kept"))) conversations.drawKept();
    else if (target.closest(".exchange")) {
      const fits = target.offsetHeight < find("#conversation").clientHeight;
      target.scrollIntoView({ block: fits ? "nearest" : "start", behavior: calm() });
    }
  },
  true,
);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (answers.hidePeek()) return;
  const menu = find("#tools details[open]");
  if (menu) {
    menu.querySelector("summary").focus();
    closeMenus();
  } else if (document.activeElement === box() && find("#leave")) press("leave");
  else if (panel().contains(document.activeElement)) answers.followed()?.focus();
});
new MutationObserver(changed).observe(document.documentElement, { childList: true, subtree: true });
changed();
