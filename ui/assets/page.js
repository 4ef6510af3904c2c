// The page as a whole: begins when Gradio has drawn it, and hands on the keys that belong to no part alone. Each part builds
// itself and follows the changes of the page: conversation/, article/, library/ and status.js.
import * as highlights from "./article/highlights.js";
import { setShared } from "./article/load.js";
import * as overview from "./article/overview.js";
import * as shown from "./article/shown.js";
import * as citations from "./conversation/citations.js";
import * as claim from "./conversation/claim.js";
import * as examples from "./conversation/examples.js";
import * as history from "./conversation/history.js";
import * as notes from "./conversation/notes.js";
import * as preview from "./conversation/preview.js";
import * as saved from "./conversation/saved.js";
import * as study from "./conversation/study.js";
import * as toolbar from "./conversation/toolbar.js";
import { closest, find, get, scrollBehavior } from "./dom.js";
import * as library from "./library/library.js";
import { onChange } from "./observer.js";
import { articleTitle, press, questionBox, runningQuestion, typeInto } from "./state.js";
import * as status from "./status.js";
import { setOwner } from "./storage.js";

let begun = false;
let ready = false; // the lists of articles are there

async function begin() {
  highlights.build();
  status.build();
  setOwner(await library.build(history.openArticle));
  setShared(library.sharedIds());
  status.onRenewed(renew);
  const draft = saved.draft();
  if (draft && !questionBox().value) typeInto(questionBox(), draft);
  ready = true;
  history.reopen();
  examples.build();
  study.build();
  citations.build();
  overview.build();
  shown.build(citations.turnTo);
  history.build();
  toolbar.build();
  claim.build();
  notes.build();
}

async function renew() {
  await library.renew();
  setShared(library.sharedIds());
  history.renew();
}

function follow() {
  if (!begun && find("#article") && find("#ask textarea") && find("#saved-conversation textarea")) {
    begun = true;
    begin().catch(console.error);
  }
  if (!ready) return;
  const title = `${articleTitle()} · article-chat`;
  if (document.title !== title) document.title = title;
}

// The question in the box, or the one that is being answered, is there again after a reload.
addEventListener("pagehide", () => {
  if (ready) saved.saveDraft(questionBox().value || runningQuestion());
});

// What is unfolded below an answer comes into view.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!(target instanceof HTMLDetailsElement && target.open && closest(target, ".exchange"))) return;
    const fits = target.offsetHeight < get("#conversation").clientHeight;
    target.scrollIntoView({ block: fits ? "nearest" : "start", behavior: scrollBehavior() });
  },
  true,
);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || preview.hide() || toolbar.closeOpenMenu()) return;
  if (document.activeElement === questionBox() && find("#cancel-edit")) press("cancel-edit");
  else if (get("#reading").contains(document.activeElement)) citations.followed()?.focus();
});

onChange(follow);
