/**
 * One state. A `rev` that is not above the known one is old news, and an end that is not provisional stays.
 * @param {Book} book
 * @param {Call} call
 * @returns {Book}
 */
export function withCall(book: Book, call: Call): Book;
/**
 * All that the server holds for this user. A live call that is missing from it, of a PBX that it holds in full, is over.
 * @param {Book} book
 * @param {readonly Call[]} calls
 * @param {readonly string[]} pbxs
 * @param {number} now server time
 * @returns {Book}
 */
export function withSnapshot(book: Book, calls: readonly Call[], pbxs: readonly string[], now: number): Book;
/**
 * @param {Book} book
 * @param {string} id
 * @returns {Book}
 */
export function withDismissed(book: Book, id: string): Book;
/**
 * @param {Book} book
 * @param {string} id
 * @returns {Book}
 */
export function withMuted(book: Book, id: string): Book;
/**
 * Ends what has rung for too long and, if `autoCloseMs` is above 0, drops what ended that long ago.
 * @param {Book} book
 * @param {number} now server time
 * @param {number} [autoCloseMs]
 * @returns {Book}
 */
export function withTime(book: Book, now: number, autoCloseMs?: number): Book;
/**
 * The server time of the next change that `withTime` will make, or null.
 * @param {Book} book
 * @param {number} [autoCloseMs]
 * @returns {number|null}
 */
export function nextDeadline(book: Book, autoCloseMs?: number): number | null;
/**
 * The calls to show, in the order of their importance: ringing (the oldest first), talking, ended (the newest first). The first
 * one is the main card.
 * @param {Book} book
 * @returns {Entry[]}
 */
export function ordered(book: Book): Entry[];
/**
 * How often this caller rang within `windowMs` before `call` rang, that call included. Episodes of one phone call count
 * once, tests never.
 * @param {Iterable<Call>} calls
 * @param {Call} call
 * @param {number} windowMs
 * @returns {number}
 */
export function repeats(calls: Iterable<Call>, call: Call, windowMs: number): number;
/**
 * When the call ended; its beginning where even that is not known.
 * @param {Call} call
 * @returns {number}
 */
export function endedAt(call: Call): number;
/** @param {Call} call @returns {boolean} whether the user should ring back */
export function isMissed(call: Call): boolean;
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
export const RING_WATCHDOG_MS: 120000;
/** Memory is bounded: closed cards go first, then the oldest ended calls. */
export const MAX_ENDED: 50;
export const MAX_DISMISSED: 500;
/** @type {Book} */
export const EMPTY: Book;
export type Call = import("./protocol.js").Call;
export type Entry = {
    call: Call;
    /**
     * this browser ended it itself, for want of news; any higher `rev` replaces it
     */
    provisional: boolean;
    /**
     * its ring was silenced
     */
    muted: boolean;
};
export type Book = {
    /**
     * by call_id
     */
    entries: ReadonlyMap<string, Entry>;
    /**
     * ids that the user closed; they are followed, but never shown again
     */
    dismissed: ReadonlySet<string>;
};
