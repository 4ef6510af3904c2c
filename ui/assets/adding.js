// Adding articles: sends them one after the other, and follows how far each is.
import * as notes from "./notes.js";

export const OWN = "/own/articles";
let told = {}; // {added, finished}: called after each article, and with the last of those that were added together
let limits = null; // as the server says them
let adding = 0; // articles that are on their way
let line = Promise.resolve(); // one after the other

export const isAdding = () => adding > 0;
export const limit = (found) => (limits = found);
export const tell = (whom) => (told = whom);

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
    if (step !== stage) notes.say(words.replace(/… .*/, "…"));
    stage = step;
    notes.progress(words, done, total);
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
export function add(articles) {
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
      await told.added();
    } catch (error) {
      failures.push(error.message);
    }
    adding -= 1;
  }
  if (articles.length) notes.show("");
  if (added) told.finished(added);
  if (failures.length) notes.fail(failures.join(" "));
  return failures.length === 0;
}

// Whether so much text is too much, in words; "" where it is not.
export function tooLong(text) {
  if (new Blob([text]).size <= limits.text_mb * 1e6) return "";
  return `The text is longer than the ${limits.text_mb} MB allowed. Paste less of it.`;
}

export const addFiles = (files) =>
  add(
    files.map((file) => ({
      name: file.name,
      path: `${OWN}?name=${encodeURIComponent(file.name)}`,
      request: { body: file, headers: { "Content-Type": "application/octet-stream" } },
      refused: refusal(file),
    })),
  );

// A file that is dropped on the panel is added; dropped beside it, it does not replace the page.
export function dropped(target) {
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
