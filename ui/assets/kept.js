// The conversations that this browser keeps, one entry of its storage each, and what is made of them: copies and exports.
// A record is what the server rendered for an exchange: {answer, earlier, outdated}, the answers as `ask --json` prints them.
let owner = ""; // whoever logs in has conversations of their own
const key = (name) => `article-chat:${owner}${name}`;
const prefix = () => key("conversation:");
const MOST_KEPT = 50;
const seen = new Map(); // id -> the stamp under which this tab knows the conversation
const moved = new Map(); // id -> the id that this tab has kept it under since another tab continued it, too

export function belongTo(login) {
  owner = login ? `login-${encodeURIComponent(login)}:` : "";
}

// Storage may be forbidden or full: then nothing is kept, and the page works as well. `area` is a property of the window.
function stored(key, area = "localStorage") {
  try {
    return JSON.parse(window[area].getItem(key));
  } catch {
    return null;
  }
}

function store(key, value, area = "localStorage") {
  try {
    window[area].setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

function forget(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // it was not kept
  }
}

const isRecord = (record) => typeof record?.answer?.question === "string" && Array.isArray(record.answer.passages);
const isKept = (kept) => /^[\w-]{1,40}$/.test(kept?.id ?? "") && Array.isArray(kept.exchanges) && kept.exchanges.every(isRecord);

const withArticle = (kept) => ({ ...kept, article: String(kept.article ?? ""), title: String(kept.title ?? "") });

// All conversations, the latest first; `article` is the visitor's own that it is about, "" for the shared ones.
export function all() {
  let keys = [];
  try {
    keys = Object.keys(localStorage);
  } catch {
    // none can be read
  }
  const kept = keys.filter((name) => name.startsWith(prefix())).map((name) => stored(name)).filter(isKept).map(withArticle);
  return kept.sort((a, b) => b.time - a.time);
}

export function take(id) {
  let kept = stored(prefix() + id);
  if (!isKept(kept)) return null;
  kept = withArticle(kept);
  seen.set(id, kept.stamp);
  setCurrent(id, kept.article);
  return kept;
}

function setCurrent(id, article) {
  store(key("current"), { id, article }, "sessionStorage");
  store(key("current"), { id, article });
}

// The conversation and the article of this tab when it was left, or of the browser; "" for none, and for the shared articles.
export function current() {
  const { id, article } = stored(key("current"), "sessionStorage") ?? stored(key("current")) ?? {};
  return { id: String(id ?? ""), article: String(article ?? "") };
}

export const leave = (article) => setCurrent("", article);

// A question of this tab that was not answered before the page was left.
export const draft = () => stored(key("draft"), "sessionStorage");
export const keepDraft = (text) => store(key("draft"), text, "sessionStorage");

export const nameOf = (id) => moved.get(id) ?? id;

export function remove(id) {
  forget(prefix() + id);
  if (current().id === id) leave(current().article);
}

// Keep the conversation about {article, title}; under another id where another tab has continued it meanwhile. Whether that
// worked.
export function keep(id, about, exchanges) {
  let name = nameOf(id);
  const before = stored(prefix() + name);
  if (before && before.stamp !== seen.get(name)) {
    name = crypto.randomUUID();
    moved.set(id, name);
  }
  const entry = { id: name, time: Date.now(), stamp: crypto.randomUUID(), ...about, exchanges };
  const others = all().filter((kept) => kept.id !== name);
  for (const old of others.splice(MOST_KEPT - 1)) remove(old.id);
  while (!store(prefix() + name, entry)) {
    const oldest = others.pop();
    if (!oldest) return false;
    remove(oldest.id);
  }
  seen.set(name, entry.stamp);
  setCurrent(name, about.article);
  return true;
}

// --- copies and exports ---------------------------------------------------------------------------------------------

const place = ({ title, page, start, end }) => `${title}, ${page ? `page ${page}, ` : ""}characters ${start}–${end}`;
const oneLine = (text) => text.replace(/\s+/g, " ").trim();

// An answer with its quotes, as plain text.
export function asText({ answer }) {
  const quotes = answer.citations.map((c) => `[${c.number}] “${oneLine(c.quote)}” (${place(c)})`);
  return [answer.answer, quotes.join("\n")].filter(Boolean).join("\n\n");
}

// Text as Markdown that shows exactly this text: nothing in it is a heading, a link, an image or HTML.
const markdown = (text) => oneLine(text).replace(/[\\`*_{}[\]()<>#+\-.!|~&$:]/g, "\\$&");

export function asMarkdown(title, exchanges) {
  const answers = exchanges.flatMap(({ answer, earlier }) => [...earlier, answer]);
  const parts = answers.map((answer) => {
    const quotes = answer.citations.map((c) => `> \\[${c.number}\\] “${markdown(c.quote)}”\n>\n> — ${markdown(place(c))}`);
    return [`## ${markdown(answer.question)}`, markdown(answer.answer), ...quotes].join("\n\n");
  });
  return [`# ${markdown(title)}`, ...parts].join("\n\n") + "\n";
}

export const asJson = (exchanges) =>
  JSON.stringify(exchanges.flatMap(({ answer, earlier }) => [...earlier, answer]), null, 2) + "\n";

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text }); // off this computer, without TLS
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
