// What every part of the page needs: elements, JSON of the server, and how to scroll.
export const find = (selector) => document.querySelector(selector);
export const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

// An element with properties and attributes, and children.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// A button that does what it says.
export function button(text, attributes, click) {
  const node = element("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", click);
  return node;
}

export async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be loaded: ${response.status}`);
  return response.json();
}
