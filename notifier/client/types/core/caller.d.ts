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
export function callerName(call: Call, t: Translate): string;
/**
 * @param {Call} call
 * @param {Translate} t
 * @returns {string}
 */
export function callerNumber(call: Call, t: Translate): string;
/**
 * «ООО Ромашка · на номер 101 (рабочий) · через «Продажи»».
 * @param {Call} call
 * @param {Translate} t
 * @returns {string}
 */
export function callerDetails(call: Call, t: Translate): string;
export type Call = import("./protocol.js").Call;
export type Translate = import("../strings/index.js").Translate;
