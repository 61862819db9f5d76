/**
 * `value` as one line of at most `max` characters; '' for anything that is not text.
 * @param {unknown} value
 * @param {number} [max]
 * @returns {string}
 */
export function clean(value: unknown, max?: number): string;
/**
 * The URL if it is an absolute http(s) one, else null: `javascript:` and the like never reach a link.
 * @param {unknown} value
 * @returns {string|null}
 */
export function safeUrl(value: unknown): string | null;
/**
 * Up to two initials of a name, '' if it has no letter.
 * @param {string} name
 * @returns {string}
 */
export function initials(name: string): string;
/**
 * Parts of one line, with a dot between them that never begins a line; empty ones are left out.
 * @param {readonly (string|null|undefined)[]} parts
 * @returns {string}
 */
export function joined(parts: readonly (string | null | undefined)[]): string;
/**
 * A number grouped for reading, with no-break spaces: `+7 927 139-09-07`. Others stay as they are.
 * @param {string} number
 * @returns {string}
 */
export function groupNumber(number: string): string;
/**
 * Text from the network made fit to show. Pure.
 *
 * Names and numbers come from the telephone network, so they are hostile: what can reorder, hide or flood other text
 * is removed here, once, before anything else sees it. Elements still only ever use `textContent`.
 */
export const MAX_TEXT: 120;
