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
export function createClock({ wall, monotonic }: {
    wall: () => number;
    monotonic: () => number;
}): Clock;
export type Clock = {
    /**
     * take a message's `server_time`
     */
    observe: (serverTime: number) => void;
    /**
     * the server's time, ms
     */
    now: () => number;
    /**
     * ms since a server time, never negative
     */
    elapsed: (since: number) => number;
    /**
     * whether the computer slept or its clock was set since the last call; the offset is
     * forgotten then, and the caller resyncs
     */
    jumped: () => boolean;
    /**
     * ms that the server is ahead of this computer; null before the first message
     */
    offset: () => number | null;
};
