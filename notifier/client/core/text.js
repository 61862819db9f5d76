/**
 * Text from the network made fit to show. Pure.
 *
 * Names and numbers come from the telephone network, so they are hostile: what can reorder, hide or flood other text
 * is removed here, once, before anything else sees it. Elements still only ever use `textContent`.
 */

export const MAX_TEXT = 120;

// Controls (C0, C1), bidi marks and overrides, zero-width characters, separators of lines, tags, private use, halves
// of surrogate pairs, unassigned noncharacters: none of them is part of a name.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/**
 * `value` as one line of at most `max` characters; '' for anything that is not text.
 * @param {unknown} value
 * @param {number} [max]
 * @returns {string}
 */
export function clean(value, max = MAX_TEXT) {
  if (typeof value !== 'string') return '';
  // Cut before the regular expressions run: a megabyte of marks must not cost more than a line.
  const text = value
    .slice(0, max * 8)
    .replace(/[\t\n\v\f\r\u0085\u2028\u2029]/gu, ' ')
    .replace(UNSAFE, '')
    .normalize('NFC')
    .replace(STACKED_MARKS, '$1')
    .replace(/\s+/gu, ' ')
    .trim();
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('').trimEnd()}…`;
}

/**
 * The URL if it is an absolute http(s) one, else null: `javascript:` and the like never reach a link.
 * @param {unknown} value
 * @returns {string|null}
 */
export function safeUrl(value) {
  if (typeof value !== 'string' || value.length > 2000) return null;
  try {
    const url = new URL(value);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Up to two initials of a name, '' if it has no letter.
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.match(/\p{L}[\p{L}\p{M}'’-]*/gu) ?? [];
  const picked = words.slice(0, 2).map((word) => Array.from(word)[0]?.toLocaleUpperCase() ?? '');
  return picked.join('');
}

/**
 * Parts of one line, with a dot between them that never begins a line; empty ones are left out.
 * @param {readonly (string|null|undefined)[]} parts
 * @returns {string}
 */
export function joined(parts) {
  return parts.filter(Boolean).join('\u00a0· ');
}

/**
 * A number grouped for reading, with no-break spaces: `+7 927 139-09-07`. Others stay as they are.
 * @param {string} number
 * @returns {string}
 */
export function groupNumber(number) {
  const russian = /^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(number);
  if (russian) return `+7\u00a0${russian[1]}\u00a0${russian[2]}\u2011${russian[3]}\u2011${russian[4]}`;
  const trunk = /^8(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(number);
  if (trunk) return `8\u00a0${trunk[1]}\u00a0${trunk[2]}\u2011${trunk[3]}\u2011${trunk[4]}`;
  return number;
}
