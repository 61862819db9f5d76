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
export function look(call: import("./protocol.js").Call): Look;
/**
 * @param {ShownCall} call
 * @param {Translate} t
 * @param {string} lang
 * @returns {CardView}
 */
export function cardView(call: ShownCall, t: Translate, lang: string): CardView;
/**
 * What stands at the right of the message: a running time, the length of the talk, or why there was none.
 * @param {import('./protocol.js').Call} call
 * @param {number} now server time
 * @param {Translate} t
 * @returns {{text: string, caption: string, spoken: string, iso: string|null}} `caption` stands above the time, and
 *   `spoken` is both in one
 */
export function timerView(call: import("./protocol.js").Call, now: number, t: Translate): {
    text: string;
    caption: string;
    spoken: string;
    iso: string | null;
};
/** @param {import('./protocol.js').Call} call @returns {string} */
export function statusKey(call: import("./protocol.js").Call): string;
export type ShownCall = import("./state.js").ShownCall;
export type Translate = import("../strings/index.js").Translate;
export type Look = "ringing" | "talking" | "ended" | "missed";
export type CardView = {
    look: Look;
    status: string;
    message: string;
    name: string;
    /**
     * '' if the caller is unknown
     */
    initials: string;
    number: string;
    /**
     * what the copy button copies; null without a number
     */
    copy: string | null;
    details: string;
    /**
     * what the network calls an unknown caller
     */
    claim: string;
    matches: string;
    repeat: string;
    /**
     * times of an ended call, and who answered
     */
    extra: string;
    url: string | null;
    /**
     * whether `url` opens an existing card of the CRM
     */
    known: boolean;
    test: boolean;
};
