// The server: whether it is there, and what it and the page say in the status.
import { element, fetchJson, find } from "./dom.js";

const LOOK_EVERY = 2000; // milliseconds between two looks whether the server is there
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
export function say(message, className = "") {
  Object.assign(said, { className, textContent: message });
  find("#status").append(said);
}

export function follow() {
  const now = find("#status p:not(#said)")?.textContent ?? "";
  if (now !== answered && now) say("");
  answered = now;
}

// Begin to look; once, when the page is there.
export function build() {
  document.body.append(gone);
  find("#status").setAttribute("role", "status"); // on the frame, which stays: what changes inside it is announced
  look();
}
