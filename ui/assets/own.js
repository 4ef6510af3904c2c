// The choice of articles above the source panel: the shared ones and the visitor's own, to choose, add and remove. What is
// the visitor's own, and what may be added, the server says (ui/articles.py); here it is only shown and sent.
import { addFiles, dropped, isAdding, limit, OWN, tell as tellOfAdding } from "./adding.js";
import { button, element, fetchJson } from "./dom.js";
import * as notes from "./notes.js";
import * as pasting from "./pasting.js";

let shared = []; // [{id, title}], all of them one choice
let own = []; // [{id, title, source, characters, pages}]
let login = null;
let showing = ""; // the id of the visitor's own article in the panel, or "" for the shared ones
let choose = () => {}; // told which article was chosen
let tell = () => {}; // told what happened, to say it in the page's status

let deciding = 0; // the timer after which the choice counts: arrow keys go through several
const DECIDED_AFTER = 200; // milliseconds

const list = element("select", { id: "choice" });
const file = element("input", { type: "file", id: "add", multiple: true, className: "unseen" });
const drop = button("Remove", { title: "Remove this article" }, ask);

export const sharedIds = () => shared.map(({ id }) => id);
export const titleOf = (id) => (id ? own.find((article) => article.id === id)?.title : sharedTitle());
const sharedTitle = () => shared[0].title + (shared.length > 1 ? ` and ${shared.length - 1} more` : "");

// A title within a line of the page.
const brief = (title) => (title.length > 80 ? `${[...title].slice(0, 79).join("").trimEnd()}…` : title);

// Fill the choice, once; who is logged in, or null. `chosen` is called with an article's id, "" for the shared ones.
export async function build(chosen, say, sayQuietly) {
  [choose, tell] = [chosen, say];
  shared = await fetchJson("/articles");
  list.setAttribute("aria-label", "Choose an article");
  list.addEventListener("change", () => {
    if (!isAdding()) notes.show("");
    clearTimeout(deciding);
    deciding = setTimeout(() => {
      deciding = 0;
      choose(list.value);
    }, DECIDED_AFTER);
  });
  file.addEventListener("change", () => {
    addFiles([...file.files]);
    file.value = ""; // or the same file could not be chosen again
  });
  tellOfAdding({
    added: refresh,
    finished({ id, title }) {
      const now = list.disabled ? "It is shown when this answer is complete." : "Ask about it.";
      choose(id);
      tell(`“${brief(title)}” was added. ${now}`);
    },
  });
  const label = element("label", { htmlFor: "add" }, "Add an article");
  const line = element("div", { className: "line" }, list, file, label, pasting.opener, drop);
  const frame = document.getElementById("own");
  frame.append(line, notes.build(sayQuietly), pasting.form);
  frame.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (!pasting.form.hidden) pasting.open(false);
    else if (!notes.keep()) return;
    event.stopPropagation();
  });
  addEventListener("focus", () => refresh().catch(console.error)); // another tab may have added or removed one
  dropped(document.getElementById("source"));
  await refresh();
  notes.show("");
  return login;
}

async function refresh() {
  const before = JSON.stringify(own);
  const said = await fetchJson(OWN);
  ({ articles: own, login } = said);
  limit(said.limits);
  file.accept = said.limits.suffixes.join(",");
  const place = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) ? "on this computer" : "on the server";
  const whom = login ? `your login, ${login},` : "this browser";
  notes.explain(
    `What you add is kept ${place}, for ${whom} alone. Remove deletes its text and vectors. ` +
      "Conversations are kept in this browser.",
  );
  if (!list.length || JSON.stringify(own) !== before) draw(); // a list that is open stays open
}

function draw() {
  const option = (value, text) => element("option", { value }, text);
  const isDouble = ({ title }) => own.filter((other) => other.title === title).length > 1;
  const mine = own.map((one) => option(one.id, isDouble(one) ? `${one.title} (${one.source})` : one.title));
  const gone = showing && !titleOf(showing) ? [option(showing, "(removed)")] : [];
  const yours = element("optgroup", { label: "Your articles" }, ...mine, ...gone);
  const value = deciding ? list.value : showing;
  list.replaceChildren(option("", sharedTitle()), ...(yours.children.length ? [yours] : []));
  list.value = value;
  drop.hidden = !titleOf(showing) || !showing;
}

// The page shows this article now.
export function follow(id) {
  if (id === showing) return;
  notes.keep({ quietly: true });
  showing = id;
  draw();
}

export function enable(enabled) {
  list.disabled = !enabled;
  drop.disabled = !enabled || isAdding();
}

// A button that does the same as Remove.
export const removal = () => button("Remove this article", { className: "way" }, ask);

function ask() {
  notes.ask(`Remove “${brief(titleOf(showing))}”, its text and its vectors?`, { yes: remove, no: () => drop.focus() });
}

async function remove() {
  const id = showing;
  const title = titleOf(id);
  const response = await fetch(`${OWN}/${id}`, { method: "DELETE" });
  if (!response.ok && response.status !== 404) return notes.fail((await response.json()).message);
  notes.show("");
  await refresh();
  choose("");
  tell(`“${brief(title)}” was removed.`);
  list.focus();
}
