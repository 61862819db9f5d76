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
export function events(before, after) {
  const { changed, gone } = differences(before, after);
  const told = [
    ...changed.map((call) => ({ type: `call-${call.state}`, detail: { call } })),
    ...gone.map((call) => ({ type: 'call-dismissed', detail: { call } })),
  ];
  if (before?.connection !== after.connection) told.push(state('connection-change', after.connection));
  if (before?.sound !== after.sound) told.push(state('sound-change', after.sound));
  return told;
}

/**
 * The calls to be spoken of: each state once; what had ended before we looked is no news.
 * @param {ClientState|null} before
 * @param {ClientState} after
 * @returns {{key: string, call: ShownCall}[]} `key` of the sentence
 */
export function announcements(before, after) {
  const known = new Set(before?.calls.map((call) => call.call_id));
  return differences(before, after)
    .changed.filter((call) => call.state !== 'ended' || known.has(call.call_id))
    .map((call) => ({ key: `announce.${call.end?.reason === 'missed' ? 'missed' : call.state}`, call }));
}

/** @param {ClientState|null} before @param {ClientState} after */
function differences(before, after) {
  const states = new Map(before?.calls.map((call) => [call.call_id, call.state]));
  const now = new Set(after.calls.map((call) => call.call_id));
  return {
    changed: after.calls.filter((call) => states.get(call.call_id) !== call.state),
    gone: (before?.calls ?? []).filter((call) => !now.has(call.call_id)),
  };
}

/** @param {string} type @param {string} value @returns {{type: string, detail: any}} */
function state(type, value) {
  return { type, detail: { state: value } };
}
