/** Durations and times of day as people read them. Pure. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * `0:07`, `12:34`, `1:02:03`; never negative.
 * @param {number} ms
 * @returns {string}
 */
export function duration(ms) {
  const total = Math.max(0, Math.floor(ms / SECOND));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/**
 * A duration as an ISO 8601 `datetime` value, such as `PT754S`.
 * @param {number} ms
 * @returns {string}
 */
export function isoDuration(ms) {
  return `PT${Math.max(0, Math.floor(ms / SECOND))}S`;
}

/**
 * The time of day in the user's time zone: `14:05`.
 * @param {number} ms Unix time
 * @param {string} lang
 * @returns {string}
 */
export function timeOfDay(ms, lang) {
  return formatter(lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ms);
}

/**
 * `14:05` today, `3 ноя., 14:05` before.
 * @param {number} ms Unix time
 * @param {number} now Unix time
 * @param {string} lang
 * @returns {string}
 */
export function moment(ms, now, lang) {
  if (startOfDay(ms) === startOfDay(now)) return timeOfDay(ms, lang);
  const day = formatter(lang, { day: 'numeric', month: 'short' }).format(ms);
  return `${day}, ${timeOfDay(ms, lang)}`;
}

/**
 * Local midnight before `ms`, as Unix time.
 * @param {number} ms
 * @returns {number}
 */
export function startOfDay(ms) {
  const day = new Date(ms);
  return day.setHours(0, 0, 0, 0);
}

/**
 * Whole minutes and seconds of a wait, for the strings `wait.seconds` and `wait.minutes`.
 * @param {number} ms
 * @returns {{minutes: number, seconds: number}}
 */
export function minutesAndSeconds(ms) {
  const total = Math.max(0, Math.round(ms / SECOND));
  return { minutes: Math.floor(total / 60), seconds: total % 60 };
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();

/**
 * @param {string} lang
 * @param {Intl.DateTimeFormatOptions} options
 */
function formatter(lang, options) {
  const key = `${lang} ${Object.keys(options).join()}`;
  let made = formatters.get(key);
  if (!made) formatters.set(key, (made = new Intl.DateTimeFormat(lang, options)));
  return made;
}

export { SECOND, MINUTE, HOUR };
