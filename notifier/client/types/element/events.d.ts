/** What the element tells its page, and a screen reader, when the client's state has changed. Pure. */
/**
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 */
/**
 * @param {ClientState|null} before null: the element has just met its client
 * @param {ClientState} after
 * @returns {{type: string, detail: object}[]}
 */
export function events(before: ClientState | null, after: ClientState): {
    type: string;
    detail: object;
}[];
/**
 * The calls to be spoken of: each state once; what had ended before we looked is no news.
 * @param {ClientState|null} before
 * @param {ClientState} after
 * @returns {{key: string, call: ShownCall}[]} `key` of the sentence
 */
export function announcements(before: ClientState | null, after: ClientState): {
    key: string;
    call: ShownCall;
}[];
export type ClientState = import("../core/state.js").ClientState;
export type ShownCall = import("../core/state.js").ShownCall;
