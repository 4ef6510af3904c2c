// Files that are dropped on the page: on the article they are added; beside it they do not replace the page.
import { addFiles } from "./upload.js";

/** @param {HTMLElement} target  where files can be dropped */
export function build(target) {
  /** @param {Event} event */
  const isWithin = (event) => event.target instanceof Node && target.contains(event.target);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    target.classList.toggle("dropping", isWithin(event));
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && target.contains(relatedTarget))) target.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    target.classList.remove("dropping");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (isWithin(event)) addFiles([...event.dataTransfer.files]);
  });
}
