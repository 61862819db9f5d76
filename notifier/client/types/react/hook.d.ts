/**
 * @typedef {import('./shared.js').SharedOptions} SharedOptions
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../core/client.js').CallClient} CallClient
 */
/**
 * Connects while mounted. Any number of these, and of `<CallNotification/>`, share one socket if their options agree.
 * @param {SharedOptions} options
 */
export function useCallNotifications(options: SharedOptions): {
    /** The call of the main card. */
    primary: import("../core/state.js").ShownCall | null;
    client: {
        start(): void;
        stop(): void;
        subscribe(tell: () => void): () => void;
        getState: () => import("../core/state.js").ClientState;
        dismiss: (id: string) => void;
        dismissAll(): void;
        mute(id: string): void;
        setMuted(off: boolean): void;
        unlockSound(): void;
        testSound(): void;
        requestNotifications(): Promise<import("../core/desktop.js").Permission>;
        diagnose: () => import("../core/diagnose.js").Finding[];
        testCall: () => Promise<import("../core/testcall.js").TestOutcome>;
        history: (query?: import("../core/api.js").HistoryQuery, signal?: AbortSignal) => Promise<import("../core/api.js").HistoryPage>;
        clearMissed(): void;
        now: () => number;
        setLanguage(lang: string | null): void;
    } | null;
    dismiss: (id: string) => void | undefined;
    dismissAll: () => void | undefined;
    mute: (id: string) => void | undefined;
    setMuted: (off: boolean) => void | undefined;
    unlockSound: () => void | undefined;
    requestNotifications: () => Promise<import("../core/desktop.js").Permission | undefined>;
    diagnose: () => import("../core/diagnose.js").Finding[];
    /** @returns {Promise<import('../core/testcall.js').TestOutcome>} */
    testCall: () => Promise<import("../core/testcall.js").TestOutcome>;
    clearMissed: () => void | undefined;
    /** The server's time: `now() - call.answered_at` is how long a talk has lasted. */
    now: () => number;
    connection: import("../core/connection.js").Status;
    /**
     * there has been no connection for 10 s: what is shown may be old
     */
    lost: boolean;
    /**
     * the most important first
     */
    calls: readonly import("../core/state.js").ShownCall[];
    /**
     * calls missed while no tab of this browser was connected
     */
    missed: readonly import("../core/state.js").Call[];
    sound: import("../core/state.js").SoundState;
    /**
     * whether this tab is the one that rings
     */
    isRinger: boolean;
    notifications: import("../core/desktop.js").Permission;
    user: import("../core/protocol.js").Person | null;
    /**
     * null while the CRM's database cannot be asked
     */
    numbers: readonly import("../core/protocol.js").OwnNumber[] | null;
    /**
     * PBXs from which nothing is heard
     */
    sourcesDown: readonly string[];
    maxVisible: number;
};
/**
 * @param {SharedOptions} options
 * @returns {CallClient|null} null where there is no browser (server rendering)
 */
export function useSharedClient(options: SharedOptions): CallClient | null;
export type SharedOptions = import("./shared.js").SharedOptions;
export type ClientState = import("../core/state.js").ClientState;
export type CallClient = import("../core/client.js").CallClient;
