// Which of several articles the panel shows: the one of the citation that was followed, or one that is chosen here.
import { element, get } from "../dom.js";
import { idsOf, titleOf } from "../library/library.js";
import { onChange } from "../observer.js";
import { articleId, isUnavailable, version } from "../state.js";
import { current } from "./panel.js";

const list = element("select", { id: "shown", hidden: true });
let listed = ""; // the version and the ids of the articles in the list

function follow() {
  const ids = isUnavailable() ? [] : idsOf(articleId());
  const now = [version(), ...ids].join(" ");
  if (now !== listed) {
    listed = now;
    list.replaceChildren(...ids.map((value) => element("option", { value }, titleOf(value) ?? value)));
    list.hidden = ids.length < 2;
  }
  const shown = current()?.id;
  if (shown && list.value !== shown) list.value = shown;
}

/** @param {(id: string) => void} turnTo  called with the id of the article to show */
export function build(turnTo) {
  list.setAttribute("aria-label", "Article shown");
  list.addEventListener("change", () => turnTo(list.value));
  get("#search").prepend(list);
  onChange(follow);
}
