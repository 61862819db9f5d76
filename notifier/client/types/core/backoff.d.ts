/**
 * @param {number} attempt 0 for the first attempt after a loss
 * @param {() => number} random from 0 to 1
 * @returns {number} ms, from 0 to the cap
 */
export function backoff(attempt: number, random: () => number): number;
/**
 * How long to wait before the next attempt to connect: full jitter, so that thousands of browsers that lost the same
 * server do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter"). Pure.
 */
export const BASE_MS: 500;
export const CAP_MS: 30000;
