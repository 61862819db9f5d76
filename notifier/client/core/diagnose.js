/** «Почему я не вижу звонки?»: what is known about this browser's way to the phone, judged. Pure. */

import { CLOSE } from './protocol.js';
import { groupNumber } from './text.js';

/**
 * @typedef {'ok'|'warn'|'bad'} Level
 * @typedef {object} Finding
 * @property {'socket'|'token'|'numbers'|'source'|'sound'|'notifications'|'secure'|'clock'} id
 * @property {Level} level
 * @property {string} text key of the sentence that says how it is and, unless it is ok, what to do
 * @property {Record<string, string|number>} values
 * @property {Fix|null} fix what one click of the user can do about it (`CallClient.diagnose` says how)
 * @typedef {'login'|'sound'|'notifications'} Fix
 *
 * @typedef {object} Facts
 * @property {import('./connection.js').Status} connection
 * @property {{code: number, message: string}|null} lastClose
 * @property {number|null} tokenLeftMs
 * @property {readonly {number: string, label: string|null}[]|null} numbers
 * @property {readonly string[]} sourcesDown
 * @property {'ready'|'blocked'|'muted'} sound
 * @property {boolean} soundWanted false where this page shows calls without sound, or the browser has none
 * @property {import('./desktop.js').Permission} notifications
 * @property {boolean} notificationsWanted false where this page does without them
 * @property {boolean} secure
 * @property {number|null} clockOffsetMs
 */

/** A clock that is this far off makes times of day confusing; timers are right all the same. */
const CLOCK_WARN_MS = 5000;

/**
 * @param {Facts} facts
 * @returns {Finding[]} in the order in which a call needs them
 */
export function findings(facts) {
  return [socket(facts), token(facts), numbers(facts), source(facts), sound(facts),
    ...(facts.notificationsWanted ? [notifications(facts)] : []), secure(facts), clock(facts)];
}

/**
 * All findings in one: the worst level.
 * @param {readonly Finding[]} all
 * @returns {Level}
 */
export function verdict(all) {
  const has = (/** @type {Level} */ level) => all.some((one) => one.level === level);
  return has('bad') ? 'bad' : has('warn') ? 'warn' : 'ok';
}

/** @param {Facts} facts @returns {Finding} */
function socket({ connection, lastClose }) {
  if (connection === 'online') return finding('socket', 'ok', 'ok');
  if (connection === 'auth_failed') return finding('socket', 'bad', 'refused');
  return finding('socket', 'bad', lastClose?.code === CLOSE.TOO_MANY ? 'too_many' : 'down');
}

/** @param {Facts} facts @returns {Finding} */
function token({ connection, lastClose, tokenLeftMs }) {
  if (connection === 'auth_failed') {
    return finding('token', 'bad', lastClose?.code === CLOSE.FORBIDDEN ? 'forbidden' : 'refused', {}, 'login');
  }
  if (tokenLeftMs === null) return finding('token', 'warn', 'unchecked');
  return finding('token', 'ok', 'ok');
}

/** @param {Facts} facts @returns {Finding} */
function numbers({ connection, numbers: own }) {
  if (own === null) return finding('numbers', 'warn', connection === 'online' ? 'unknown' : 'unchecked');
  if (!own.length) return finding('numbers', 'bad', 'none');
  return finding('numbers', 'ok', 'ok', { numbers: own.map(({ number }) => groupNumber(number)).join(', ') });
}

/** @param {Facts} facts @returns {Finding} */
function source({ connection, sourcesDown }) {
  if (connection !== 'online') return finding('source', 'warn', 'unchecked');
  if (sourcesDown.length) return finding('source', 'bad', 'down', { pbx: sourcesDown.join(', ') });
  return finding('source', 'ok', 'ok');
}

/** @param {Facts} facts @returns {Finding} */
function sound({ sound: state, soundWanted }) {
  if (!soundWanted) return finding('sound', 'warn', 'none');
  return state === 'ready' ? finding('sound', 'ok', 'ready') : finding('sound', 'warn', state, {}, 'sound');
}

/** @param {Facts} facts @returns {Finding} */
function notifications({ notifications: permission }) {
  const level = permission === 'granted' ? 'ok' : 'warn';
  return finding('notifications', level, permission, {}, permission === 'default' ? 'notifications' : null);
}

/** @param {Facts} facts @returns {Finding} */
function secure({ secure: is }) {
  return is ? finding('secure', 'ok', 'ok') : finding('secure', 'warn', 'plain');
}

/** @param {Facts} facts @returns {Finding} */
function clock({ clockOffsetMs }) {
  if (clockOffsetMs === null) return finding('clock', 'warn', 'unchecked');
  if (Math.abs(clockOffsetMs) < CLOCK_WARN_MS) return finding('clock', 'ok', 'ok');
  return finding('clock', 'warn', 'off', { s: Math.round(Math.abs(clockOffsetMs) / 1000) });
}

/**
 * @param {Finding['id']} id
 * @param {Level} level
 * @param {string} what
 * @param {Record<string, string|number>} [values]
 * @param {Fix|null} [fix]
 * @returns {Finding}
 */
function finding(id, level, what, values = {}, fix = null) {
  return { id, level, text: `check.${id}.${what}`, values, fix };
}
