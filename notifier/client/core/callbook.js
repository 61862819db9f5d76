/**
 * The book of calls (calls.js), kept in step with the server: its messages go in, dismissals go out until the server
 * has taken them.
 */

import * as book from './calls.js';

/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */

/**
 * @param {object} options
 * @param {import('./clock.js').Clock} options.clock
 * @param {number} options.autoCloseMs close ended calls after this long; 0: never
 * @param {(message: {type: string, call_id: string}) => void} options.send
 * @param {() => void} options.onChange time has changed something
 * @param {Window & typeof globalThis} options.window
 */
export function createCallBook({ clock, autoCloseMs, send, onChange, window }) {
  let calls = book.EMPTY;
  /** Dismissals that the server has confirmed on this connection. @type {Set<string>} */
  const confirmed = new Set();
  /** @type {any} */
  let timer = null;

  /** @param {string} id */
  function accept(id) {
    if (confirmed.size >= book.MAX_DISMISSED) confirmed.clear();
    confirmed.add(id);
    calls = book.withDismissed(calls, id);
  }

  /** The server tells of a call that the user closed: it does not know that (we were offline, or it was restarted). */
  function insist(/** @type {string} */ call_id) {
    if (calls.dismissed.has(call_id) && !confirmed.has(call_id)) send({ type: 'dismiss', call_id });
  }

  function expire() {
    calls = book.withTime(calls, clock.now(), autoCloseMs);
    window.clearTimeout(timer);
    const deadline = book.nextDeadline(calls, autoCloseMs);
    if (deadline === null) return;
    timer = window.setTimeout(() => {
      expire();
      onChange();
    }, Math.max(50, deadline - clock.now()));
  }

  return {
    /** @returns {import('./calls.js').Book} */
    current: () => calls,

    /** @param {ServerMessage} message */
    receive(message) {
      if (message.type === 'snapshot') {
        for (const id of message.dismissed) accept(id);
        calls = book.withSnapshot(calls, message.calls, message.pbxs, clock.now());
        for (const call of message.calls) insist(call.call_id);
      } else if (message.type === 'call') {
        calls = book.withCall(calls, message.call);
        insist(message.call.call_id);
      } else if (message.type === 'dismissed') {
        accept(message.call_id);
      }
      expire();
    },

    /** @param {string} call_id */
    dismiss(call_id) {
      calls = book.withDismissed(calls, call_id);
      send({ type: 'dismiss', call_id });
    },

    /** @param {string} id */
    mute(id) {
      calls = book.withMuted(calls, id);
    },

    /** The connection is gone: what the server knows must be learnt anew. */
    disconnected: () => confirmed.clear(),

    clear() {
      window.clearTimeout(timer);
      calls = book.EMPTY;
      confirmed.clear();
    },
  };
}
