/**
 * @param {object} options
 * @param {import('./clock.js').Clock} options.clock
 * @param {ReturnType<typeof import('./memory.js').createMemory>} options.memory
 * @param {(query: import('./api.js').HistoryQuery) => Promise<import('./api.js').HistoryPage>} options.history
 * @param {() => void} options.onChange
 * @param {Window & typeof globalThis} options.window
 */
export function createAbsence({ clock, memory, history, onChange, window }: {
    clock: import("./clock.js").Clock;
    memory: ReturnType<typeof import("./memory.js").createMemory>;
    history: (query: import("./api.js").HistoryQuery) => Promise<import("./api.js").HistoryPage>;
    onChange: () => void;
    window: Window & typeof globalThis;
}): {
    lost: () => boolean;
    missed: () => readonly import("./protocol.js").Call[];
    /** @param {import('./connection.js').Status} status */
    statusChanged(status: import("./connection.js").Status): void;
    /** The server knows us: was this browser away? @param {number} id */
    greeted(id: number): void;
    /** A message came; call it after `greeted`. */
    heard(): void;
    /**
     * The server has told everything: the history knows all that was missed, the snapshot at least the last minutes.
     * @param {readonly Call[]} recent
     * @param {(id: string) => boolean} isDismissed
     */
    snapshot(recent: readonly Call[], isDismissed: (id: string) => boolean): Promise<void>;
    /** @param {string} id */
    dismissed(id: string): void;
    clear(): void;
    stop(): void;
};
export type Call = import("./protocol.js").Call;
