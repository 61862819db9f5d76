/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */
/**
 * @param {object} options
 * @param {import('./clock.js').Clock} options.clock
 * @param {number} options.autoCloseMs close ended calls after this long; 0: never
 * @param {(message: {type: string, call_id: string}) => void} options.send
 * @param {() => void} options.onChange time has changed something
 * @param {Window & typeof globalThis} options.window
 */
export function createCallBook({ clock, autoCloseMs, send, onChange, window }: {
    clock: import("./clock.js").Clock;
    autoCloseMs: number;
    send: (message: {
        type: string;
        call_id: string;
    }) => void;
    onChange: () => void;
    window: Window & typeof globalThis;
}): {
    /** @returns {import('./calls.js').Book} */
    current: () => import("./calls.js").Book;
    /** @param {ServerMessage} message */
    receive(message: ServerMessage): void;
    /** @param {string} call_id */
    dismiss(call_id: string): void;
    /** @param {string} id */
    mute(id: string): void;
    /** The connection is gone: what the server knows must be learnt anew. */
    disconnected: () => void;
    clear(): void;
};
export type ServerMessage = import("./protocol.js").ServerMessage;
