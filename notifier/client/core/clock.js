/**
 * The server's clock as this browser knows it.
 *
 * Timers on the card are never counted: they are the difference of two server times. A message can only arrive later
 * than it was sent, so the largest `server_time - local time` of the recent messages is the best offset.
 */

const WINDOW = 16;
const JUMP_MS = 2000;

/**
 * @typedef {object} Clock
 * @property {(serverTime: number) => void} observe take a message's `server_time`
 * @property {() => number} now the server's time, ms
 * @property {(since: number) => number} elapsed ms since a server time, never negative
 * @property {() => boolean} jumped whether the computer slept or its clock was set since the last call; the offset is
 *   forgotten then, and the caller resyncs
 * @property {() => number|null} offset ms that the server is ahead of this computer; null before the first message
 */

/**
 * @param {object} sources
 * @param {() => number} sources.wall Unix time in ms, `Date.now`
 * @param {() => number} sources.monotonic ms that no setting of the clock moves, `performance.now`
 * @returns {Clock}
 */
export function createClock({ wall, monotonic }) {
  /** @type {number[]} */
  let offsets = [];
  let best = 0;
  let drift = wall() - monotonic();

  return {
    observe(serverTime) {
      offsets.push(serverTime - wall());
      if (offsets.length > WINDOW) offsets.shift();
      best = Math.max(...offsets);
    },
    now: () => wall() + best,
    elapsed: (since) => Math.max(0, wall() + best - since),
    jumped() {
      const moved = wall() - monotonic() - drift;
      if (Math.abs(moved) <= JUMP_MS) return false;
      drift += moved;
      // Until the next message the old offset still serves where only sleep passed; a clock that was set needs a new one.
      offsets = [];
      return true;
    },
    offset: () => (offsets.length ? best : null),
  };
}
