/**
 * @param {object} options
 * @param {string} options.base the notifier's URL, with a slash at the end
 * @param {string} options.token
 * @param {HistoryQuery} options.query
 * @param {typeof globalThis.fetch} options.fetch
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<HistoryPage>}
 */
export function fetchHistory({ base, token, query, fetch, signal }: {
    base: string;
    token: string;
    query: HistoryQuery;
    fetch: typeof globalThis.fetch;
    signal?: AbortSignal | undefined;
}): Promise<HistoryPage>;
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
    constructor(status: number);
    status: number;
}
export type Call = import("./protocol.js").Call;
export type HistoryQuery = {
    /**
     * where the last page ended
     */
    before?: string | number | undefined;
    limit?: number | undefined;
    /**
     * only calls with this number
     */
    number?: string | undefined;
    /**
     * Unix ms
     */
    since?: number | undefined;
    /**
     * such as 'missed'
     */
    reason?: string | undefined;
};
export type HistoryPage = {
    /**
     * the newest first
     */
    calls: Call[];
    /**
     * `before` of the next page; null at the end
     */
    next: string | number | null;
};
