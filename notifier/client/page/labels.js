/** Names for buttons that only show an icon. */

/** @param {HTMLElement} element @param {string} text */
export function iconLabel(element, text) {
  element.setAttribute('aria-label', text);
  element.title = text;
}
