// What can be done with the conversation and with its answers: the toolbar's menus, and all buttons that are known by a value.
import { closest, find, findAll } from "../dom.js";
import { onChange } from "../observer.js";
import { isRunning, isUnavailable, press, questionBox } from "../state.js";
import { asAnnotations } from "./annotations.js";
import { asJson, asMarkdown, asText, copy, download } from "./export.js";
import * as history from "./history.js";
import { onTheWeb } from "./links.js";
import * as notes from "./notes.js";

/** @import { Find } from "./links.js" */
/** @import { Note, Quote } from "./pinned.js" */
/** @import { ExchangeRecord } from "./saved.js" */

const BUTTONS = "#tools button:not(:is(#claim, #notes) *)"; // those are not about the conversation
let refocus = ""; // the button to focus when the answer is complete

/** @param {string} ending */
const fileName = (ending) =>
  `${history
    .title()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, 60)}.${ending}`;

/** @returns {Promise<[string, ExchangeRecord[], Note[], Find]>} */
async function conversation() {
  const [records, pinned] = [history.records(), notes.here()];
  const cited = records.flatMap(({ answer, earlier }) => [...earlier, answer].flatMap(({ citations }) => citations));
  return [history.title(), records, pinned, await onTheWeb([...cited, ...pinned])];
}

/** The quotes of the answers, which the server has checked against the article where there is one. */
function citedQuotes() {
  /** @type {HTMLButtonElement[]} */
  const pins = findAll("#conversation .pin");
  return pins.map(({ value }) => ({ .../** @type {Quote} */ (JSON.parse(value)), stands: !isUnavailable() }));
}

/**
 * What the buttons do, by their values.
 * @type {Record<string, (button: HTMLButtonElement) => void | Promise<void>>}
 */
const actions = {
  new: history.startNew,
  clear: history.clear,
  markdown: async () => download(fileName("md"), "text/markdown", asMarkdown(...(await conversation()))),
  json: async () => download(fileName("json"), "application/json", asJson(...(await conversation()))),
  async annotations() {
    const quotes = [...citedQuotes(), ...(await notes.checked())];
    const find = await onTheWeb(quotes);
    const placed = quotes.map((quote) => ({ ...quote, web: find(quote) }));
    download(fileName("jsonld"), "application/ld+json", asAnnotations(history.title(), placed));
  },
  retry() {
    refocus = '.exchange:last-of-type [value="retry"]';
    press("retry");
  },
  edit() {
    press("edit");
    questionBox().focus();
  },
  async copy(button) {
    /** @type {HTMLInputElement | null | undefined} */
    const record = button.closest(".exchange")?.querySelector('[name="record"]');
    if (!record) return;
    await copy(asText(JSON.parse(record.value).answer));
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  },
};

/** @param {HTMLDetailsElement | null} except */
function closeMenus(except = null) {
  /** @type {HTMLDetailsElement[]} */
  const open = findAll("#tools details[open]");
  for (const menu of open) if (menu !== except) menu.open = false;
}

/** Close the open menu from the keyboard; whether there was one. */
export function closeOpenMenu() {
  const menu = find("#tools details[open]");
  menu?.querySelector("summary")?.focus();
  closeMenus();
  return menu !== null;
}

/** @param {MouseEvent} event */
function clicked({ target }) {
  /** @type {HTMLButtonElement | null} */
  const action = closest(target, `${BUTTONS}, #conversation .actions button`);
  /** @type {HTMLDetailsElement | null} */
  const menu = closest(target, "#tools details");
  if (action) menu?.querySelector("summary")?.focus();
  closeMenus(action ? null : menu);
  if (action) Promise.resolve(actions[action.value]?.(action)).catch(console.error);
}

function follow() {
  /** @type {HTMLButtonElement[]} */
  const buttons = findAll(BUTTONS);
  for (const button of buttons) button.disabled = isRunning();
  if (isRunning() || !refocus || !find(refocus)) return;
  if (document.activeElement === document.body) find(refocus)?.focus({ preventScroll: true });
  refocus = "";
}

export function build() {
  document.addEventListener("click", clicked);
  onChange(follow);
}
