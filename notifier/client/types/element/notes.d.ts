/**
 * @typedef {import('../core/protocol.js').Call} Call
 * @typedef {import('../strings/index.js').Translate} Translate
 */
/**
 * @param {{closeMissed: () => void, unlock: () => void, check: () => void}} actions
 */
export function createNotes({ closeMissed, unlock, check }: {
    closeMissed: () => void;
    unlock: () => void;
    check: () => void;
}): {
    element: HTMLDivElement;
    /** @param {import('./card.js').Context} context @returns {boolean} whether anything is said */
    update({ t, state: now, lang, now: time }: import("./card.js").Context): boolean;
};
export type Call = import("../core/protocol.js").Call;
export type Translate = import("../strings/index.js").Translate;
