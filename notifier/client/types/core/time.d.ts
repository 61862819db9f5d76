/**
 * `0:07`, `12:34`, `1:02:03`; never negative.
 * @param {number} ms
 * @returns {string}
 */
export function duration(ms: number): string;
/**
 * A duration as an ISO 8601 `datetime` value, such as `PT754S`.
 * @param {number} ms
 * @returns {string}
 */
export function isoDuration(ms: number): string;
/**
 * The time of day in the user's time zone: `14:05`.
 * @param {number} ms Unix time
 * @param {string} lang
 * @returns {string}
 */
export function timeOfDay(ms: number, lang: string): string;
/**
 * `14:05` today, `3 ноя., 14:05` before.
 * @param {number} ms Unix time
 * @param {number} now Unix time
 * @param {string} lang
 * @returns {string}
 */
export function moment(ms: number, now: number, lang: string): string;
/**
 * Local midnight before `ms`, as Unix time.
 * @param {number} ms
 * @returns {number}
 */
export function startOfDay(ms: number): number;
/**
 * Whole minutes and seconds of a wait, for the strings `wait.seconds` and `wait.minutes`.
 * @param {number} ms
 * @returns {{minutes: number, seconds: number}}
 */
export function minutesAndSeconds(ms: number): {
    minutes: number;
    seconds: number;
};
/** Durations and times of day as people read them. Pure. */
export const SECOND: 1000;
export const MINUTE: number;
export const HOUR: number;
