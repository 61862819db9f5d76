/** What a card says about a call, in words. Pure; the element only puts it on the page. */

import { callerDetails, callerName, callerNumber } from './caller.js';
import { groupNumber, initials, joined } from './text.js';
import { duration, isoDuration, minutesAndSeconds, timeOfDay } from './time.js';

/**
 * @typedef {import('./state.js').ShownCall} ShownCall
 * @typedef {import('../strings/index.js').Translate} Translate
 * @typedef {'ringing'|'talking'|'ended'|'missed'} Look
 *
 * @typedef {object} CardView
 * @property {Look} look
 * @property {string} status
 * @property {string} message
 * @property {string} name
 * @property {string} initials '' if the caller is unknown
 * @property {string} number
 * @property {string|null} copy what the copy button copies; null without a number
 * @property {string} details
 * @property {string} claim what the network calls an unknown caller
 * @property {string} matches
 * @property {string} repeat
 * @property {string} extra times of an ended call, and who answered
 * @property {string|null} url
 * @property {boolean} known whether `url` opens an existing card of the CRM
 * @property {boolean} test
 */

/** @param {import('./protocol.js').Call} call @returns {Look} */
export function look(call) {
  if (call.state !== 'ended') return call.state;
  return call.end?.reason === 'missed' ? 'missed' : 'ended';
}

/**
 * @param {ShownCall} call
 * @param {Translate} t
 * @param {string} lang
 * @returns {CardView}
 */
export function cardView(call, t, lang) {
  const { caller } = call;
  return {
    look: look(call),
    status: t(statusKey(call)),
    message: t(`message.${call.state}`),
    name: callerName(call, t),
    initials: caller.name ? initials(caller.name) : '',
    number: callerNumber(call, t),
    copy: caller.number,
    details: callerDetails(call, t),
    claim: !caller.name && caller.display && caller.display !== caller.number ? t('display', { name: caller.display }) : '',
    matches: caller.matches > 1 ? t('matches', { n: caller.matches - 1 }) : '',
    repeat: call.repeats > 1 ? t('repeat', { n: call.repeats }) : '',
    extra: extra(call, t, lang),
    url: caller.url,
    known: caller.kind !== 'unknown',
    test: call.test,
  };
}

/**
 * What stands at the right of the message: a running time, the length of the talk, or why there was none.
 * @param {import('./protocol.js').Call} call
 * @param {number} now server time
 * @param {Translate} t
 * @returns {{text: string, caption: string, spoken: string, iso: string|null}} `caption` stands above the time, and
 *   `spoken` is both in one
 */
export function timerView(call, now, t) {
  if (call.state === 'ringing') {
    const waited = timed(now - call.ring_started_at);
    return { ...waited, caption: t('waiting.caption'), spoken: t('waiting', { time: waited.text }) };
  }
  if (call.state === 'talking') return timed(now - (call.answered_at ?? now));
  if (call.answered_at !== null && call.ended_at !== null && call.end?.reason !== 'answered_elsewhere') {
    return timed(call.ended_at - call.answered_at);
  }
  const reason = call.end?.reason ?? 'unknown';
  const text = t(reason === 'missed' || reason === 'completed' || reason === 'transferred' ? 'right.not_answered' : `right.${reason}`);
  return { text, caption: '', spoken: text, iso: null };
}

/** @param {import('./protocol.js').Call} call @returns {string} */
export function statusKey(call) {
  const reason = call.end?.reason;
  if (call.state !== 'ended' || !reason || reason === 'completed' || reason === 'unknown') return `status.${call.state}`;
  return `status.${reason}`;
}

/**
 * @param {ShownCall} call
 * @param {Translate} t
 * @param {string} lang
 * @returns {string}
 */
function extra(call, t, lang) {
  if (call.state !== 'ended') return '';
  const parts = [];
  const from = timeOfDay(call.ring_started_at, lang);
  const to = call.ended_at === null ? from : timeOfDay(call.ended_at, lang);
  parts.push(from === to ? from : `${from}–${to}`);
  const waited = (call.answered_at ?? call.ended_at ?? call.ring_started_at) - call.ring_started_at;
  const { minutes, seconds } = minutesAndSeconds(waited);
  if (waited >= 500 && !call.provisional) {
    const time = minutes ? t('wait.minutes', { m: minutes, s: seconds }) : t('wait.seconds', { s: seconds });
    parts.push(t('waiting', { time }));
  }
  const by = call.end?.answered_by;
  const answered = by?.name ?? null;
  if (answered && call.end?.reason !== 'completed') parts.push(t('answered_by', { name: groupNumber(answered) }));
  return joined(parts);
}

/** @param {number} ms */
function timed(ms) {
  const text = duration(ms);
  return { text, caption: '', spoken: text, iso: isoDuration(ms) };
}
