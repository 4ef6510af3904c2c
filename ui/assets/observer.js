// The page's one observer: Gradio and the scripts change the page, and whoever subscribed is told.

/** @type {(() => void)[]} */
const subscribers = [];
let timer = 0; // of the round in which all are told, where one is due

/**
 * Call the function, now and after each burst of changes.
 * @param {() => void} subscriber
 */
export function onChange(subscriber) {
  subscribers.push(subscriber);
  schedule();
}

// A burst is told once, and behind it: an answer that streams in changes the page many times in a row. A timer, and no
// animation frame: a tab in the background draws none, and what is answered in it is to be saved, too.
function schedule() {
  timer ||= setTimeout(notify);
}

function notify() {
  clearTimeout(timer);
  timer = 0;
  for (const subscriber of subscribers) subscriber();
}

new MutationObserver(schedule).observe(document.documentElement, { childList: true, subtree: true });
addEventListener("pagehide", () => timer && notify()); // or the last of an answer might not be saved
