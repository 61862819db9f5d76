/** @param {() => void} close */
export function createCheck(close: () => void): {
    element: HTMLElement;
    /** Show it anew, without the outcome of an earlier test call. */
    open(): void;
    close(): void;
    focus: () => void;
    /** @param {CallClient} of @param {Translate} translate */
    update(of: CallClient, translate: Translate): void;
};
export type CallClient = import("../core/client.js").CallClient;
export type Finding = import("../core/diagnose.js").Finding;
export type Translate = import("../strings/index.js").Translate;
