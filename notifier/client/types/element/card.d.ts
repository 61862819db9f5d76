/**
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../strings/index.js').Translate} Translate
 *
 * @typedef {object} Actions what the card's buttons do
 * @property {(call: ShownCall) => void} dismiss
 * @property {(call: ShownCall) => boolean} open false: the host opens the CRM's card itself
 * @property {(call: ShownCall) => void} mute
 * @property {() => void} unlock
 * @property {() => void} minimise
 *
 * @typedef {object} Context
 * @property {Translate} t
 * @property {string} lang
 * @property {number} now server time
 * @property {ClientState} state
 * @property {boolean} minimised
 * @property {import('./past.js').Past|null} past earlier calls with this number; null if there can be none
 */
/**
 * @param {Actions} actions
 */
export function createCard(actions: Actions): {
    element: HTMLElement;
    /** @param {ShownCall} call @param {Context} context */
    update(call: ShownCall, { t, lang, now, state, minimised, past: earlier }: Context): void;
    /** @param {number} now @param {Translate} t */
    tick(now: number, t: Translate): void;
};
/** @param {string} name @param {() => void} click */
export function iconButton(name: string, click: () => void): HTMLButtonElement;
/** @param {HTMLButtonElement} button @param {string} text */
export function label(button: HTMLButtonElement, text: string): void;
export type ShownCall = import("../core/state.js").ShownCall;
export type ClientState = import("../core/state.js").ClientState;
export type Translate = import("../strings/index.js").Translate;
/**
 * what the card's buttons do
 */
export type Actions = {
    dismiss: (call: ShownCall) => void;
    /**
     * false: the host opens the CRM's card itself
     */
    open: (call: ShownCall) => boolean;
    mute: (call: ShownCall) => void;
    unlock: () => void;
    minimise: () => void;
};
export type Context = {
    t: Translate;
    lang: string;
    /**
     * server time
     */
    now: number;
    state: ClientState;
    minimised: boolean;
    /**
     * earlier calls with this number; null if there can be none
     */
    past: import("./past.js").Past | null;
};
