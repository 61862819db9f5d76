/** «Почему я не вижу звонки?»: what is known about this browser's way to the phone, judged. Pure. */

import { groupNumber } from './text.js';

/**
 * @typedef {'ok'|'warn'|'bad'} Level
 * @typedef {object} Finding
 * @property {'socket'|'token'|'numbers'|'source'|'sound'|'notifications'|'secure'|'clock'} id
 * @property {Level} level
 * @property {string} text key of the sentence that says how it is and, unless it is ok, what to do
 * @property {Record<string, string|number>} values
 *
 * @typedef {object} Facts
 * @property {import('./connection.js').Status} connection
 * @property {{code: number, message: string}|null} lastClose
 * @property {number|null} tokenLeftMs
 * @property {readonly {number: string, label: string|null}[]|null} numbers
 * @property {readonly string[]} sourcesDown
 * @property {'ready'|'blocked'|'muted'} sound
 * @property {import('./desktop.js').Permission} notifications
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
  return [socket(facts), token(facts), numbers(facts), source(facts), sound(facts), notifications(facts), secure(facts),
    clock(facts)];
}

/** @param {Facts} facts @returns {Finding} */
function socket({ connection, lastClose }) {
  if (connection === 'online') return finding('socket', 'ok', 'ok');
  if (connection === 'auth_failed') return finding('socket', 'bad', 'refused');
  return finding('socket', 'bad', lastClose?.code === 4409 ? 'too_many' : 'down');
}

/** @param {Facts} facts @returns {Finding} */
function token({ connection, lastClose, tokenLeftMs }) {
  if (connection === 'auth_failed') return finding('token', 'bad', lastClose?.code === 4403 ? 'forbidden' : 'refused');
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
function sound({ sound: state }) {
  return finding('sound', state === 'ready' ? 'ok' : 'warn', state);
}

/** @param {Facts} facts @returns {Finding} */
function notifications({ notifications: permission }) {
  return finding('notifications', permission === 'granted' ? 'ok' : 'warn', permission);
}

/** @param {Facts} facts @returns {Finding} */
function secure({ secure: is }) {
  return is ? finding('secure', 'ok', 'ok') : finding('secure', 'warn', 'plain');
}

/** @param {Facts} facts @returns {Finding} */
function clock({ clockOffsetMs }) {
  if (clockOffsetMs === null) return finding('clock', 'warn', 'unchecked');
  const off = Math.abs(clockOffsetMs) >= CLOCK_WARN_MS;
  return finding('clock', off ? 'warn' : 'ok', off ? 'off' : 'ok', { s: Math.round(Math.abs(clockOffsetMs) / 1000) });
}

/**
 * @param {Finding['id']} id
 * @param {Level} level
 * @param {string} what
 * @param {Record<string, string|number>} [values]
 * @returns {Finding}
 */
function finding(id, level, what, values = {}) {
  return { id, level, text: `check.${id}.${what}`, values };
}
