/**
 * Time without news: when the connection counts as lost, and what was missed in the meantime.
 *
 * When this browser was last connected is kept for each user in localStorage, so that also a closed laptop learns in the
 * morning whom to ring back.
 */

import { endedAt, isMissed } from './calls.js';

/** @typedef {import('./protocol.js').Call} Call */

const LOST_AFTER_MS = 10_000;
const AWAY_AFTER_MS = 15_000;
const REMEMBER_EVERY_MS = 5000;
const MOST_MISSED = 50;

/**
 * @param {object} options
 * @param {import('./clock.js').Clock} options.clock
 * @param {ReturnType<typeof import('./memory.js').createMemory>} options.memory
 * @param {(query: import('./api.js').HistoryQuery) => Promise<import('./api.js').HistoryPage>} options.history
 * @param {() => void} options.onChange
 * @param {Window & typeof globalThis} options.window
 */
export function createAbsence({ clock, memory, history, onChange, window }) {
  let lost = false;
  let userId = 0;
  let lastSeen = 0; // server time
  let awaySince = 0;
  /** @type {readonly Call[]} */
  let missed = [];
  /** @type {any} */
  let timer = null;

  function stopTimer() {
    window.clearTimeout(timer);
    timer = null;
  }

  function noteAbsence() {
    if (lastSeen && clock.now() - lastSeen > AWAY_AFTER_MS) awaySince ||= lastSeen;
  }

  return {
    lost: () => lost,
    missed: () => missed,

    /** @param {import('./connection.js').Status} status */
    statusChanged(status) {
      if (status === 'online') {
        stopTimer();
        lost = false;
        return;
      }
      if (timer !== null || lost || status === 'idle') return;
      timer = window.setTimeout(() => {
        timer = null;
        lost = true;
        onChange();
      }, LOST_AFTER_MS);
    },

    /** The server knows us: was this browser away? @param {number} id */
    greeted(id) {
      if (id !== userId) {
        userId = id;
        missed = [];
        lastSeen = Number(memory.get(`seen.${id}`) ?? 0) || 0;
      }
      noteAbsence();
    },

    /** A message came; call it after `greeted`. */
    heard() {
      const now = clock.now();
      if (!userId || now - lastSeen < REMEMBER_EVERY_MS) return;
      lastSeen = now;
      memory.set(`seen.${userId}`, String(now));
    },

    /**
     * The server has told everything: the history knows all that was missed, the snapshot at least the last minutes.
     * @param {readonly Call[]} recent
     * @param {(id: string) => boolean} isDismissed
     */
    async snapshot(recent, isDismissed) {
      const since = awaySince;
      awaySince = 0;
      if (!since) return;
      const keep = (/** @type {Call} */ call) => isMissed(call) && endedAt(call) > since && !isDismissed(call.call_id);
      missed = recent.filter(keep);
      try {
        const { calls } = await history({ since, reason: 'missed', limit: MOST_MISSED });
        const known = new Set(missed.map((call) => call.call_id));
        missed = [...missed, ...calls.filter((call) => !known.has(call.call_id))].filter(keep);
      } catch {
        // The database may be down; the snapshot's calls are shown all the same.
      }
      onChange();
    },

    /** @param {string} id */
    dismissed(id) {
      if (missed.some((call) => call.call_id === id)) missed = missed.filter((call) => call.call_id !== id);
    },

    clear() {
      missed = [];
    },

    stop() {
      stopTimer();
      lost = false;
      missed = [];
      userId = lastSeen = awaySince = 0;
    },
  };
}
