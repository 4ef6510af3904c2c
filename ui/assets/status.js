// The status line: what the server and the page say in it, and whether the server is there.
import { element, fetchJson, find, get } from "./dom.js";
import { onChange } from "./observer.js";
import { version } from "./state.js";

const POLL_EVERY = 2000; // milliseconds
/** @type {string | undefined} */
let run; // which run of the server the page talks to
let known = ""; // the version of the served articles that the page has
/** @type {(() => Promise<void>) | null} */
let renew = null; // told when the server has another
const offline = element("p", { id: "offline", role: "alert", hidden: true });
const message = element("p", { id: "page-message" });
let lastAnswer = ""; // what the server said last

// A new run of the server does not know this page: reloaded, it brings the conversation back.
async function poll() {
  try {
    const alive = await fetchJson("/alive");
    run ??= alive.run;
    if (alive.run !== run) location.reload();
    offline.hidden = true;
    if (renew && alive.version !== known) {
      await renew();
      known = alive.version;
    }
  } catch {
    offline.hidden = false;
    offline.textContent = "The server is not answering. What you wrote is kept, and this goes away when it is back.";
  }
  setTimeout(poll, POLL_EVERY);
}

/**
 * Say something in the place of what the server said last.
 * @param {string} text
 */
export const say = (text, className = "") => {
  Object.assign(message, { className, textContent: text });
  get("#status").append(message);
};

/**
 * The same for those who hear the page; who sees it sees this elsewhere.
 * @param {string} text
 */
export const announce = (text) => say(text, "unseen");

function follow() {
  const answer = find("#status p:not(#page-message)")?.textContent ?? "";
  if (answer !== lastAnswer && answer) say("");
  lastAnswer = answer;
  // Gradio's own announcer keeps aria-live; one element has the role, so that it can be found.
  for (const other of document.querySelectorAll('.sr-only[role="status"]')) other.removeAttribute("role");
}

/**
 * Have the function called, from now on, when the articles that are served have changed since the page was made.
 * @param {() => Promise<void>} then
 */
export function onRenewed(then) {
  renew = then;
}

/** Begin; once, when the page is there. */
export function build() {
  known = version();
  document.body.append(offline);
  get("#status").setAttribute("role", "status"); // on the frame, which stays: what changes inside it is announced
  onChange(follow);
  poll();
}
