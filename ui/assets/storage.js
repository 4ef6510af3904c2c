// What this browser keeps, under names that begin with whoever logs in. Storage may be forbidden or full: then nothing is
// kept, and the page works as well. An `area` is a property of the window, as reading that property may fail already.
/** @typedef {"localStorage" | "sessionStorage"} Area */

let owner = ""; // whoever logs in has conversations and notes of their own
/** @param {string} name */
export const key = (name) => `article-chat:${owner}${name}`;

/** @param {string | null} login */
export function setOwner(login) {
  owner = login ? `login-${encodeURIComponent(login)}:` : "";
}

/**
 * @param {string} key
 * @param {Area} area
 */
export function read(key, area = "localStorage") {
  try {
    return JSON.parse(window[area].getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Whether that worked.
 * @param {string} key
 * @param {unknown} value
 * @param {Area} area
 */
export function write(key, value, area = "localStorage") {
  try {
    window[area].setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** @param {string} key */
export function erase(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // it was not saved
  }
}

/** A name that nothing else has; `crypto.randomUUID` is not there for pages of another computer over plain http. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
