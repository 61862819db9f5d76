/** The user's own call history, over HTTP with the same token as the socket. */

import { parseCall } from './protocol.js';

/**
 * @typedef {import('./protocol.js').Call} Call
 * @typedef {object} HistoryQuery
 * @property {string|number} [before] where the last page ended
 * @property {number} [limit]
 * @property {string} [number] only calls with this number
 * @property {number} [since] Unix ms
 * @property {string} [reason] such as 'missed'
 * @typedef {object} HistoryPage
 * @property {Call[]} calls the newest first
 * @property {string|number|null} next `before` of the next page; null at the end
 */

/** The history could not be read; `status` is HTTP's, 0 for the network. */
export class HistoryError extends Error {
  /** @param {number} status */
  constructor(status) {
    super(status ? `the history answered with HTTP ${status}` : 'the history could not be reached');
    this.name = 'HistoryError';
    this.status = status;
  }
}

/**
 * @param {object} options
 * @param {string} options.base the notifier's URL, with a slash at the end
 * @param {string} options.token
 * @param {HistoryQuery} options.query
 * @param {typeof globalThis.fetch} options.fetch
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<HistoryPage>}
 */
export async function fetchHistory({ base, token, query, fetch, signal }) {
  const url = new URL('api/calls', base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') url.searchParams.set(name, String(value));
  }
  let answer;
  try {
    answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal, credentials: 'omit' });
  } catch {
    throw new HistoryError(0);
  }
  if (!answer.ok) throw new HistoryError(answer.status);
  const body = await answer.json().catch(() => null);
  const calls = Array.isArray(body?.calls) ? body.calls.map(parseCall) : [];
  return { calls: calls.filter((/** @type {Call|null} */ call) => call !== null), next: body?.next ?? null };
}
