/** @typedef {import('../core/state.js').ShownCall} ShownCall */
/**
 * @param {(call: ShownCall) => void} dismiss
 */
export function createRows(dismiss: (call: ShownCall) => void): {
    element: HTMLDivElement;
    /** @param {readonly ShownCall[]} calls @param {import('./card.js').Context} context */
    update(calls: readonly ShownCall[], context: import("./card.js").Context): void;
    /** @param {number} now @param {import('../strings/index.js').Translate} t */
    tick(now: number, t: import("../strings/index.js").Translate): void;
};
export type ShownCall = import("../core/state.js").ShownCall;
