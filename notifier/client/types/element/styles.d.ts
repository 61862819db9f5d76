/**
 * One sheet for all cards of a page; constructed, so `style-src 'self'` allows it.
 * @returns {CSSStyleSheet}
 */
export function styles(): CSSStyleSheet;
/** @type {string} */
export const CSS: string;
