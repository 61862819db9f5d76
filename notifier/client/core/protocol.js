/**
 * The wire protocol, from the browser's side: frames in, checked messages out. Pure. (docs/protocol.md)
 *
 * The server is ours, but what it relays is not: every text is cleaned and every number checked here, so nothing behind
 * this file meets an unexpected shape. An unknown type is skipped, so that a newer server can talk to an older client.
 */

import { clean, safeUrl } from './text.js';

export const VERSION = 1;

/** Close codes of the server that the client treats differently. */
export const CLOSE = Object.freeze({
  BAD_MESSAGE: 4400,
  UNAUTHENTICATED: 4401,
  FORBIDDEN: 4403,
  TOO_SLOW: 4408,
  TOO_MANY: 4409,
  RESTARTING: 1012,
});

/**
 * @typedef {'ringing'|'talking'|'ended'} CallState
 * @typedef {'completed'|'missed'|'busy'|'rejected'|'answered_elsewhere'|'transferred'|'failed'|'unknown'} EndReason
 * @typedef {object} Caller
 * @property {string|null} number E.164 with `+` where it is one, else as dialled
 * @property {string|null} display the name that the telephone network sent
 * @property {string|null} name the name in the CRM
 * @property {'user'|'dealer'|'unknown'} kind
 * @property {number|null} id the CRM's id of the user or dealer
 * @property {string|null} company
 * @property {boolean} restricted the caller hides the number
 * @property {number} matches how many records of the CRM have this number
 * @property {string|null} url the caller's card in the CRM, http(s)
 * @typedef {object} Line
 * @property {string} number the user's number that rings
 * @property {string|null} label what the CRM calls that number, such as "мобильный"
 * @property {string|null} queue
 * @typedef {object} End
 * @property {EndReason} reason
 * @property {number|null} cause Q.850
 * @property {{user_id: number|null, name: string|null}|null} answered_by
 * @typedef {object} Call one episode: it begins when the user's first phone rings, and ends when the last one is gone
 * @property {string} call_id
 * @property {number} rev
 * @property {string} first_linkedid groups the episodes of one phone call
 * @property {CallState} state
 * @property {Caller} caller
 * @property {Line} line
 * @property {number} ring_started_at Unix ms, the server's clock
 * @property {number|null} answered_at
 * @property {number|null} ended_at
 * @property {End|null} end
 * @property {string} pbx
 * @property {boolean} test
 * @typedef {object} Person
 * @property {number} id
 * @property {string} name
 * @typedef {object} OwnNumber
 * @property {string} number
 * @property {string|null} label
 */

/**
 * @typedef {{type: 'hello', server_time: number, user: Person, numbers: OwnNumber[]|null, heartbeat_ms: number,
 *   token_expires_at: number|null}} Hello
 * @typedef {{type: 'snapshot', server_time: number, calls: Call[], pbxs: string[],
 *   dismissed: string[]}} Snapshot
 * @typedef {{type: 'call', server_time: number, call: Call}} CallMessage
 * @typedef {{type: 'dismissed', server_time: number, call_id: string}} Dismissed
 * @typedef {{type: 'source', server_time: number, pbx: string, up: boolean}} Source
 * @typedef {{type: 'heartbeat', server_time: number}} Heartbeat
 * @typedef {{type: 'error', server_time: number, code: string, message: string, retryable: boolean,
 *   retry_after_ms: number}} ErrorMessage
 * @typedef {Hello|Snapshot|CallMessage|Dismissed|Source|Heartbeat|ErrorMessage} ServerMessage
 */

const STATES = new Set(['ringing', 'talking', 'ended']);
const REASONS = new Set([
  'completed', 'missed', 'busy', 'rejected', 'answered_elsewhere', 'transferred', 'failed', 'unknown',
]);
const KINDS = new Set(['user', 'dealer']);

/**
 * One frame from the server, or null for what this client cannot use (broken, of another version, of an unknown type).
 * @param {unknown} frame
 * @returns {ServerMessage|null}
 */
export function parse(frame) {
  if (typeof frame !== 'string') return null;
  /** @type {any} */
  let raw;
  try {
    raw = JSON.parse(frame);
  } catch {
    return null;
  }
  if (!isObject(raw) || raw.v !== VERSION) return null;
  const server_time = time(raw.server_time) ?? 0;
  switch (raw.type) {
    case 'hello':
      return {
        type: 'hello',
        server_time,
        user: { id: integer(raw.user?.id) ?? 0, name: clean(raw.user?.name) },
        numbers: Array.isArray(raw.numbers) ? raw.numbers.slice(0, 200).map(ownNumber).filter((n) => n.number) : null,
        heartbeat_ms: Math.min(Math.max(integer(raw.heartbeat_ms) ?? 20_000, 1000), 300_000),
        token_expires_at: time(raw.token_expires_at),
      };
    case 'snapshot':
      return {
        type: 'snapshot',
        server_time,
        calls: list(raw.calls).map(parseCall).filter((call) => call !== null),
        pbxs: list(raw.pbxs).map((name) => clean(name)).filter(Boolean),
        dismissed: list(raw.dismissed).map(identifier).filter(Boolean),
      };
    case 'call': {
      const call = parseCall(raw.call);
      return call && { type: 'call', server_time, call };
    }
    case 'dismissed': {
      const call_id = identifier(raw.call_id);
      return call_id ? { type: 'dismissed', server_time, call_id } : null;
    }
    case 'source':
      return { type: 'source', server_time, pbx: clean(raw.pbx), up: raw.up === true };
    case 'heartbeat':
      return { type: 'heartbeat', server_time };
    case 'error':
      return {
        type: 'error',
        server_time,
        code: clean(raw.code),
        message: clean(raw.message, 300),
        retryable: raw.retryable !== false,
        retry_after_ms: Math.min(Math.max(integer(raw.retry_after_ms) ?? 0, 0), 600_000),
      };
    default:
      return null;
  }
}

/**
 * A call from the network, or null if what makes it a call is missing.
 * @param {any} raw
 * @returns {Call|null}
 */
export function parseCall(raw) {
  if (!isObject(raw) || !STATES.has(raw.state)) return null;
  const call_id = identifier(raw.call_id);
  const rev = integer(raw.rev);
  const ring_started_at = time(raw.ring_started_at);
  if (!call_id || rev === null || ring_started_at === null) return null;
  const caller = isObject(raw.caller) ? raw.caller : {};
  const line = isObject(raw.line) ? raw.line : {};
  return Object.freeze({
    call_id,
    rev,
    first_linkedid: clean(raw.first_linkedid),
    state: raw.state,
    caller: Object.freeze({
      number: text(caller.number),
      display: text(caller.display),
      name: text(caller.name),
      kind: KINDS.has(caller.kind) ? caller.kind : 'unknown',
      id: integer(caller.id),
      company: text(caller.company),
      restricted: caller.restricted === true,
      matches: Math.max(0, integer(caller.matches) ?? 0),
      url: safeUrl(caller.url),
    }),
    line: Object.freeze({ number: clean(line.number), label: text(line.label), queue: text(line.queue) }),
    ring_started_at,
    answered_at: time(raw.answered_at),
    ended_at: time(raw.ended_at),
    end: raw.state === 'ended' ? parseEnd(raw.end) : null,
    pbx: clean(raw.pbx),
    test: raw.test === true,
  });
}

/**
 * @param {any} raw
 * @returns {End}
 */
function parseEnd(raw) {
  const end = isObject(raw) ? raw : {};
  const by = isObject(end.answered_by) ? end.answered_by : null;
  return Object.freeze({
    reason: REASONS.has(end.reason) ? end.reason : 'unknown',
    cause: integer(end.cause),
    answered_by: by && Object.freeze({ user_id: integer(by.user_id), name: text(by.name) }),
  });
}

/**
 * @param {any} raw
 * @returns {OwnNumber}
 */
function ownNumber(raw) {
  if (!isObject(raw)) return { number: clean(raw), label: null };
  return { number: clean(raw.number), label: text(raw.label) };
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param {unknown} value @returns {any[]} */
function list(value) {
  return Array.isArray(value) ? value.slice(0, 1000) : [];
}

/** @param {unknown} value @returns {string|null} */
function text(value) {
  return clean(value) || null;
}

/** An id goes back to the server as it came; it is never shown. @param {unknown} value @returns {string} */
function identifier(value) {
  return typeof value === 'string' && value.length <= 200 ? value : '';
}

/** @param {unknown} value @returns {number|null} */
function integer(value) {
  return Number.isSafeInteger(value) ? /** @type {number} */ (value) : null;
}

/** Unix ms within what `Date` can hold. @param {unknown} value @returns {number|null} */
function time(value) {
  const ms = integer(value);
  return ms !== null && ms >= 0 && ms <= 8.64e15 ? ms : null;
}
