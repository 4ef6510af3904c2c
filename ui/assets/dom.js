// What every part of the page needs: elements, JSON of the server, and how to scroll.

/**
 * The first element that matches the selector, or null; its type is the one that the caller names.
 * @template {Element} [E=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} within
 * @returns {E | null}
 */
export const find = (selector, within = document) => within.querySelector(selector);

/**
 * The same where the page cannot be without it.
 * @template {Element} [E=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} within
 * @returns {E}
 */
export function get(selector, within = document) {
  /** @type {E | null} */
  const node = find(selector, within);
  if (!node) throw new Error(`The page has no ${selector}`);
  return node;
}

/**
 * All elements that match the selector.
 * @template {Element} [E=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} within
 * @returns {E[]}
 */
export function findAll(selector, within = document) {
  /** @type {NodeListOf<E>} */
  const nodes = within.querySelectorAll(selector);
  return [...nodes];
}

/**
 * The target of an event, or the nearest element around it, that matches the selector.
 * @template {Element} [E=HTMLElement]
 * @param {EventTarget | null} target
 * @param {string} selector
 * @returns {E | null}
 */
export const closest = (target, selector) => (target instanceof Element ? target.closest(selector) : null);

/** How to scroll for people who may not want to see things move. */
export const scrollBehavior = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

/**
 * An element with properties, or attributes where an older browser has no such property, and children.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} properties
 * @param {...(Node | string)} children
 */
export function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) Object.assign(node, { [key]: value });
    else node.setAttribute(key, String(value));
  }
  node.append(...children);
  return node;
}

/**
 * A button that does what it says.
 * @param {string} text
 * @param {Partial<HTMLButtonElement>} properties
 * @param {(event: MouseEvent) => void} click
 */
export function button(text, properties, click) {
  const node = element("button", { type: "button", ...properties }, text);
  node.addEventListener("click", click);
  return node;
}

/**
 * The JSON at the path; what it is made of is for the caller to say.
 * @param {string} path
 */
export async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be loaded: ${response.status}`);
  return response.json();
}
