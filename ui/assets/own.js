// The choice of articles above the source panel: the shared ones and the visitor's own, to choose, add and remove. What is
// the visitor's own, and what may be added, the server says (ui/articles.py); here it is only shown and sent.
import { element, fetchJson } from "./article.js";

let shared = []; // [{id, title}], all of them one choice
let own = []; // [{id, title, source, characters, pages}]
let login = null;
let limits = null;
let showing = ""; // the id of the visitor's own article in the panel, or "" for the shared ones
let choose = () => {}; // told which article was chosen
let tell = () => {}; // told what happened, to say it in the page's status
let announce = () => {}; // told what is shown here, to be announced only
let adding = 0; // articles that are on their way
let line = Promise.resolve(); // one after the other
let noted = ""; // what the line below the choice shows: "" for where things are kept, else the name of a part

const OWN = "/own/articles";
const parts = {};

export const sharedIds = () => shared.map(({ id }) => id);
export const titleOf = (id) => (id ? own.find((article) => article.id === id)?.title : sharedTitle());
const sharedTitle = () => shared[0].title + (shared.length > 1 ? ` and ${shared.length - 1} more` : "");

// Fill the choice, once; who is logged in, or null. `chosen` is called with an article's id, "" for the shared ones.
export async function build(chosen, say, sayQuietly) {
  [choose, tell, announce] = [chosen, say, sayQuietly];
  shared = await fetchJson("/articles");
  const button = (text, attributes, click) => {
    const node = element("button", { type: "button", ...attributes }, text);
    node.addEventListener("click", click);
    return node;
  };
  parts.list = element("select", { id: "choice" });
  parts.list.setAttribute("aria-label", "Choose an article");
  parts.list.addEventListener("change", () => {
    if (!adding) note("");
    choose(parts.list.value);
  });
  parts.file = element("input", { type: "file", id: "add", multiple: true, className: "unseen" });
  parts.file.addEventListener("change", () => {
    addFiles([...parts.file.files]);
    parts.file.value = ""; // or the same file could not be chosen again
  });
  const label = element("label", { htmlFor: "add" }, "Add an article");
  parts.paste = button("Paste text", {}, () => openForm(parts.form.hidden));
  parts.paste.setAttribute("aria-expanded", "false");
  parts.drop = button("Remove", { title: "Remove this article" }, ask);
  parts.note = element("p", { className: "note" });
  parts.bar = element("progress", { id: "progress" });
  parts.bar.setAttribute("aria-label", "Adding the article");
  parts.step = element("span");
  parts.progress = element("p", { className: "progress" }, parts.step, parts.bar);
  parts.failure = element("p", { className: "failure" });
  parts.failed = element("div", { className: "failed" }, parts.failure, button("Close", {}, () => note("")));
  parts.question = element("span");
  parts.keep = button("Keep", {}, () => (note(""), parts.drop.focus()));
  parts.sure = button("Remove it", {}, remove);
  parts.asked = element("p", { className: "asked", role: "group" }, parts.question, parts.sure, parts.keep);
  parts.form = form();
  const notes = element("div", { className: "notes" }, parts.note, parts.progress, parts.failed, parts.asked);
  const line = element("div", { className: "line" }, parts.list, parts.file, label, parts.paste, parts.drop);
  document.getElementById("own").append(line, notes, parts.form);
  document.getElementById("own").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (!parts.form.hidden) openForm(false);
    else if (noted === "asked") parts.keep.click();
    else return;
    event.stopPropagation();
  });
  addEventListener("focus", () => refresh().catch(console.error)); // another tab may have added or removed one
  dropped(document.getElementById("source"));
  await refresh();
  note("");
  return login;
}

async function refresh() {
  const before = JSON.stringify(own);
  ({ articles: own, login, limits } = await fetchJson(OWN));
  parts.file.accept = limits.suffixes.join(",");
  const place = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) ? "on this computer" : "on the server";
  const whom = login ? `your login, ${login},` : "this browser";
  parts.note.textContent =
    `What you add is kept ${place}, for ${whom} alone. Remove deletes its text and vectors. ` +
    "Conversations are kept in this browser.";
  if (!parts.list.length || JSON.stringify(own) !== before) draw(); // a list that is open stays open
}

function draw() {
  const option = (value, text) => element("option", { value }, text);
  const isDouble = ({ title }) => own.filter((other) => other.title === title).length > 1;
  const mine = own.map((one) => option(one.id, isDouble(one) ? `${one.title} (${one.source})` : one.title));
  const gone = showing && !titleOf(showing) ? [option(showing, "(removed)")] : [];
  const yours = element("optgroup", { label: "Your articles" }, ...mine, ...gone);
  parts.list.replaceChildren(option("", sharedTitle()), ...(yours.children.length ? [yours] : []));
  parts.list.value = showing;
  parts.drop.hidden = !titleOf(showing) || !showing;
}

// The page shows this article now.
export function follow(id) {
  if (id === showing) return;
  if (noted === "asked") note("");
  showing = id;
  draw();
}

export function enable(enabled) {
  parts.list.disabled = !enabled;
  parts.drop.disabled = !enabled || adding > 0;
}

// Show one part below the choice; they share their place, so that nothing moves.
function note(name) {
  noted = name;
  for (const part of ["note", "progress", "failed", "asked"]) {
    parts[part].classList.toggle("shown", part === (name || "note"));
  }
}

// --- adding ---------------------------------------------------------------------------------------------------------

function progress(words, done, total) {
  parts.step.textContent = words;
  if (total) [parts.bar.max, parts.bar.value] = [total, done];
  else parts.bar.removeAttribute("value");
  if (noted !== "progress") note("progress");
}

// What is wrong with the file, before it is sent.
function refusal({ name, size }) {
  const suffix = /\.[^.]*$/.exec(name.toLowerCase())?.[0];
  if (!limits.suffixes.includes(suffix)) {
    return `${name}: only ${limits.suffixes.join(", ")} files can be read. Save the article as one of these.`;
  }
  const most = [".txt", ".md", ".markdown"].includes(suffix) ? limits.text_mb : limits.file_mb;
  if (size > most * 1e6) {
    return `${name}: ${(size / 1e6).toFixed(1)} MB is more than the ${most} MB allowed. Add a smaller file.`;
  }
  return "";
}

// Send what is to be added, and follow how far it is; the article, or an error that says why there is none.
async function send(name, path, request) {
  let stage = "";
  const goOn = (step, words, done, total) => {
    if (step !== stage) announce(words.replace(/… .*/, "…"));
    stage = step;
    progress(words, done, total);
  };
  goOn("sending", `Sending ${name}…`);
  let response;
  let last = {};
  try {
    response = await fetch(path, { method: "POST", ...request });
    if (!response.ok) throw new Error((await response.json()).message);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (text + piece.value).split("\n");
      text = lines.pop();
      for (const line of lines) {
        last = JSON.parse(line);
        const { done, total } = last;
        if (last.stage === "reading") goOn("reading", `Reading ${name}…`);
        else if (last.stage === "waiting") goOn("waiting", `${name} waits for articles that came before…`);
        else if (last.stage === "indexing") goOn("indexing", `Indexing ${name}… ${done} of ${total} passages`, done, total);
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // which is how fetch says that the server cannot be reached
  }
  if (last.stage === "failed") throw new Error(last.message);
  if (last.stage !== "done") throw new Error(`The server went away before ${name} was added. Add it again.`);
  return last.article;
}

// Add them, after those that came before; whether that worked.
function add(articles) {
  adding += articles.length;
  line = line.then(() => addEach(articles));
  return line;
}

// Add one after the other; the last that was added is shown, and what went wrong with the others is said.
async function addEach(articles) {
  const failures = [];
  let added = null;
  for (const { name, path, request, refused } of articles) {
    try {
      if (refused) throw new Error(refused);
      added = await send(name, path, request);
      await refresh();
    } catch (error) {
      failures.push(error.message);
    }
    adding -= 1;
  }
  if (articles.length) note("");
  if (added) {
    choose(added.id);
    tell(`“${added.title}” was added. Ask about it.`);
  }
  if (failures.length) fail(failures.join(" "));
  return failures.length === 0;
}

function fail(message) {
  parts.failure.textContent = message;
  note("failed");
  announce(message);
}

const addFiles = (files) =>
  add(
    files.map((file) => ({
      name: file.name,
      path: `${OWN}?name=${encodeURIComponent(file.name)}`,
      request: { body: file, headers: { "Content-Type": "application/octet-stream" } },
      refused: refusal(file),
    })),
  );

// A file that is dropped on the panel is added; dropped beside it, it does not replace the page.
function dropped(target) {
  const isFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    target.classList.toggle("dropping", target.contains(event.target));
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!target.contains(relatedTarget)) target.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    target.classList.remove("dropping");
    if (!isFile(event)) return;
    event.preventDefault();
    if (target.contains(event.target)) addFiles([...event.dataTransfer.files]);
  });
}

// --- pasting --------------------------------------------------------------------------------------------------------

function form() {
  const field = (text, input) => element("label", {}, element("span", {}, text), input);
  parts.title = element("input", { type: "text", maxLength: 200 });
  parts.text = element("textarea", { rows: 8 });
  const cancel = element("button", { type: "button" }, "Cancel");
  cancel.addEventListener("click", () => openForm(false));
  const node = element(
    "form",
    { id: "paste", hidden: true },
    field("Title (may be empty)", parts.title),
    field("Text", parts.text),
    element("p", {}, element("button", { type: "submit", className: "primary" }, "Add this text"), cancel),
  );
  node.setAttribute("aria-label", "Paste text");
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = JSON.stringify({ title: parts.title.value, text: parts.text.value });
    const request = { body, headers: { "Content-Type": "application/json" } };
    node.hidden = true; // what was typed stays in it until it is an article
    parts.paste.focus();
    const worked = await add([{ name: "the text", path: `${OWN}/paste`, request, refused: longText() }]);
    if (worked) node.reset();
    openForm(!worked);
  });
  return node;
}

function longText() {
  const size = new Blob([parts.text.value]).size;
  if (size <= limits.text_mb * 1e6) return "";
  return `The text is longer than the ${limits.text_mb} MB allowed. Paste less of it.`;
}

function openForm(opened) {
  const within = parts.form.contains(document.activeElement);
  if (noted === "asked") note("");
  parts.form.hidden = !opened;
  parts.paste.setAttribute("aria-expanded", String(opened));
  if (opened) (parts.text.value ? parts.text : parts.title).focus();
  else if (within) parts.paste.focus();
}

// --- removing -------------------------------------------------------------------------------------------------------

// A button that does the same as Remove.
export function removal() {
  const button = element("button", { type: "button", className: "way" }, "Remove this article");
  button.addEventListener("click", ask);
  return button;
}

function ask() {
  parts.question.textContent = `Remove “${titleOf(showing)}”, its text and its vectors?`;
  parts.asked.setAttribute("aria-label", parts.question.textContent);
  note("asked");
  parts.keep.focus();
}

async function remove() {
  const id = showing;
  const title = titleOf(id);
  const response = await fetch(`${OWN}/${id}`, { method: "DELETE" });
  if (!response.ok && response.status !== 404) return fail((await response.json()).message);
  note("");
  await refresh();
  choose("");
  tell(`“${title}” was removed.`);
  parts.list.focus();
}
