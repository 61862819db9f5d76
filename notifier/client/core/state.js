/** The client's state as its subscribers see it: immutable, made anew when something changed. Pure. */

import { ordered, repeats } from './calls.js';

/**
 * @typedef {import('./protocol.js').Call} Call
 * @typedef {Call & {muted: boolean, provisional: boolean, repeats: number}} ShownCall `repeats`: how often this number
 *   rang within 10 minutes, this call included
 *
 * @typedef {'ready'|'blocked'|'muted'} SoundState `blocked`: the browser waits for a click; `muted`: switched off
 *
 * @typedef {object} ClientState
 * @property {import('./connection.js').Status} connection
 * @property {boolean} lost there has been no connection for 10 s: what is shown may be old
 * @property {readonly ShownCall[]} calls the most important first
 * @property {readonly Call[]} missed calls missed while no tab of this browser was connected
 * @property {SoundState} sound
 * @property {boolean} isRinger whether this tab is the one that rings
 * @property {import('./desktop.js').Permission} notifications
 * @property {import('./protocol.js').Person|null} user
 * @property {readonly import('./protocol.js').OwnNumber[]|null} numbers null while the CRM's database cannot be asked
 * @property {readonly string[]} sourcesDown PBXs from which nothing is heard
 * @property {number} maxVisible
 */

const REPEAT_WINDOW_MS = 600_000;

/**
 * The calls to show, the most important first.
 * @param {import('./calls.js').Book} book
 * @returns {readonly ShownCall[]}
 */
export function shownCalls(book) {
  const every = [...book.entries.values()].map(({ call }) => call);
  return Object.freeze(
    ordered(book).map(({ call, muted, provisional }) =>
      Object.freeze({ ...call, muted, provisional, repeats: repeats(every, call, REPEAT_WINDOW_MS) }),
    ),
  );
}

/**
 * @param {import('./sound.js').Sound|null} sound
 * @param {boolean} switchedOff
 * @returns {SoundState}
 */
export function soundState(sound, switchedOff) {
  if (switchedOff || (sound && !sound.supported())) return 'muted';
  return sound?.running() ? 'ready' : 'blocked';
}

/** @type {ClientState} what is known before anything is. */
export const IDLE = Object.freeze({
  connection: 'idle',
  lost: false,
  calls: Object.freeze([]),
  missed: Object.freeze([]),
  sound: 'blocked',
  isRinger: false,
  notifications: 'default',
  user: null,
  numbers: null,
  sourcesDown: Object.freeze([]),
  maxVisible: 3,
});
