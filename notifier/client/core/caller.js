/** A caller in words. Pure. */

import { clean, groupNumber, joined } from './text.js';

/**
 * @typedef {import('./protocol.js').Call} Call
 * @typedef {import('../strings/index.js').Translate} Translate
 */

/**
 * The CRM's name; «Неизвестный» for everybody it does not know. What the network calls him is shown elsewhere, as a
 * claim, because anybody can set it.
 * @param {Call} call
 * @param {Translate} t
 * @returns {string}
 */
export function callerName(call, t) {
  return call.caller.name ?? t('unknown');
}

/**
 * @param {Call} call
 * @param {Translate} t
 * @returns {string}
 */
export function callerNumber(call, t) {
  if (call.caller.number) return groupNumber(call.caller.number);
  return t(call.caller.restricted ? 'restricted' : 'no_number');
}

/** A company's name may be as long as a sentence; the number that rings must still be seen behind it. */
const LONGEST_COMPANY = 60;

/**
 * «ООО Ромашка · на номер 101 (рабочий) · через «Продажи»».
 * @param {Call} call
 * @param {Translate} t
 * @returns {string}
 */
export function callerDetails(call, t) {
  const { caller, line } = call;
  const number = groupNumber(line.number);
  const to = line.label ? t('to_labelled', { number, label: line.label }) : t('to_number', { number });
  return joined([
    clean(caller.company, LONGEST_COMPANY) || (caller.kind === 'user' ? t('kind.user') : ''),
    line.number ? to : '',
    line.queue ? t('via_queue', { queue: line.queue }) : '',
  ]);
}
