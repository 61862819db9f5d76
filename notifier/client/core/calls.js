/**
 * What this browser knows about calls: states and time in, a new book out. Pure.
 *
 * A book is never changed; every function returns the same book if nothing in it changed, so that callers can compare.
 */

/** @typedef {import('./protocol.js').Call} Call */

/**
 * @typedef {object} Entry
 * @property {Call} call
 * @property {boolean} provisional this browser ended it itself, for want of news; any higher `rev` replaces it
 * @property {boolean} muted its ring was silenced
 *
 * @typedef {object} Book
 * @property {ReadonlyMap<string, Entry>} entries by call_id
 * @property {ReadonlySet<string>} dismissed ids that the user closed; they are followed, but never shown again
 */

/** A call that rings longer than this has ended without our being told. */
export const RING_WATCHDOG_MS = 120_000;
/** Memory is bounded: closed cards go first, then the oldest ended calls. */
export const MAX_ENDED = 50;
export const MAX_DISMISSED = 500;

const RANK = { ringing: 0, talking: 1, ended: 2 };

/** @type {Book} */
export const EMPTY = Object.freeze({ entries: new Map(), dismissed: new Set() });

/**
 * One state. A `rev` that is not above the known one is old news, and an end that is not provisional stays.
 * @param {Book} book
 * @param {Call} call
 * @returns {Book}
 */
export function withCall(book, call) {
  const known = book.entries.get(call.call_id);
  if (known) {
    if (call.rev <= known.call.rev) return book;
    const ends = known.call.state === 'ended' && !known.provisional && known.call.end?.reason !== 'unknown';
    if (ends && call.state !== 'ended') return book;
  }
  const entries = new Map(book.entries);
  entries.set(call.call_id, { call, provisional: false, muted: known?.muted ?? false });
  return bounded({ ...book, entries });
}

/**
 * All that the server holds for this user. A live call that is missing from it, of a PBX that it holds in full, is over.
 * @param {Book} book
 * @param {readonly Call[]} calls
 * @param {readonly string[]} pbxs
 * @param {number} now server time
 * @returns {Book}
 */
export function withSnapshot(book, calls, pbxs, now) {
  let next = book;
  for (const call of calls) next = withCall(next, call);
  const listed = new Set(calls.map((call) => call.call_id));
  for (const { call } of [...next.entries.values()]) {
    if (call.state !== 'ended' && !listed.has(call.call_id) && pbxs.includes(call.pbx)) {
      next = withProvisionalEnd(next, call.call_id, now);
    }
  }
  return next;
}

/**
 * @param {Book} book
 * @param {string} id
 * @returns {Book}
 */
export function withDismissed(book, id) {
  if (book.dismissed.has(id)) return book;
  const dismissed = new Set(book.dismissed).add(id);
  for (const oldest of dismissed) {
    if (dismissed.size <= MAX_DISMISSED) break;
    dismissed.delete(oldest);
  }
  return { ...book, dismissed };
}

/**
 * @param {Book} book
 * @param {string} id
 * @returns {Book}
 */
export function withMuted(book, id) {
  const entry = book.entries.get(id);
  if (!entry || entry.muted) return book;
  return { ...book, entries: new Map(book.entries).set(id, { ...entry, muted: true }) };
}

/**
 * Ends what has rung for too long and, if `autoCloseMs` is above 0, drops what ended that long ago.
 * @param {Book} book
 * @param {number} now server time
 * @param {number} [autoCloseMs]
 * @returns {Book}
 */
export function withTime(book, now, autoCloseMs = 0) {
  let next = book;
  for (const { call } of book.entries.values()) {
    if (call.state === 'ringing' && now - call.ring_started_at >= RING_WATCHDOG_MS) {
      next = withProvisionalEnd(next, call.call_id, now);
    } else if (autoCloseMs > 0 && call.state === 'ended' && now - endedAt(call) >= autoCloseMs) {
      next = withDismissed(next, call.call_id);
    }
  }
  return next;
}

/**
 * The server time of the next change that `withTime` will make, or null.
 * @param {Book} book
 * @param {number} [autoCloseMs]
 * @returns {number|null}
 */
export function nextDeadline(book, autoCloseMs = 0) {
  let next = Infinity;
  for (const { call } of book.entries.values()) {
    if (call.state === 'ringing') next = Math.min(next, call.ring_started_at + RING_WATCHDOG_MS);
    if (autoCloseMs > 0 && call.state === 'ended' && !book.dismissed.has(call.call_id)) next = Math.min(next, endedAt(call) + autoCloseMs);
  }
  return next === Infinity ? null : next;
}

/**
 * The calls to show, in the order of their importance: ringing (the oldest first), talking, ended (the newest first). The first
 * one is the main card.
 * @param {Book} book
 * @returns {Entry[]}
 */
export function ordered(book) {
  const shown = [...book.entries.values()].filter(({ call }) => !book.dismissed.has(call.call_id));
  return shown.sort((a, b) => {
    const rank = RANK[a.call.state] - RANK[b.call.state];
    if (rank) return rank;
    if (a.call.state === 'ended') return endedAt(b.call) - endedAt(a.call) || b.call.rev - a.call.rev;
    return a.call.ring_started_at - b.call.ring_started_at || a.call.rev - b.call.rev;
  });
}

/**
 * How often this caller rang within `windowMs` before `call` rang, that call included. Episodes of one phone call count
 * once, tests never.
 * @param {Iterable<Call>} calls
 * @param {Call} call
 * @param {number} windowMs
 * @returns {number}
 */
export function repeats(calls, call, windowMs) {
  if (!call.caller.number) return 1;
  const phoneCalls = new Set([call.first_linkedid || call.call_id]);
  for (const other of calls) {
    const age = call.ring_started_at - other.ring_started_at;
    if (other.caller.number === call.caller.number && other.test === call.test && age >= 0 && age <= windowMs) {
      phoneCalls.add(other.first_linkedid || other.call_id);
    }
  }
  return phoneCalls.size;
}

/**
 * When the call ended; its beginning where even that is not known.
 * @param {Call} call
 * @returns {number}
 */
export function endedAt(call) {
  return call.ended_at ?? call.answered_at ?? call.ring_started_at;
}

/** @param {Call} call @returns {boolean} whether the user should ring back */
export function isMissed(call) {
  return call.state === 'ended' && call.end?.reason === 'missed' && !call.test;
}

/**
 * @param {Book} book
 * @param {string} id
 * @param {number} now
 * @returns {Book}
 */
function withProvisionalEnd(book, id, now) {
  const entry = book.entries.get(id);
  if (!entry) return book;
  const end = Object.freeze({ reason: /** @type {const} */ ('unknown'), cause: null, answered_by: null });
  const call = Object.freeze({ ...entry.call, state: /** @type {const} */ ('ended'), ended_at: now, end });
  return bounded({ ...book, entries: new Map(book.entries).set(id, { ...entry, call, provisional: true }) });
}

/**
 * @param {Book} book
 * @returns {Book}
 */
function bounded(book) {
  const ended = [...book.entries.values()].filter(({ call }) => call.state === 'ended');
  if (ended.length <= MAX_ENDED) return book;
  const shown = (/** @type {Entry} */ { call }) => Number(!book.dismissed.has(call.call_id));
  ended.sort((a, b) => shown(a) - shown(b) || endedAt(a.call) - endedAt(b.call));
  const entries = new Map(book.entries);
  for (const { call } of ended.slice(0, ended.length - MAX_ENDED)) entries.delete(call.call_id);
  return { ...book, entries };
}
