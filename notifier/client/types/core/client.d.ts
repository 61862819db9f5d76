/**
 * @param {ClientOptions} options
 * @param {Window & typeof globalThis} [window]
 */
export function createCallClient(options: ClientOptions, window?: Window & typeof globalThis): {
    /** Connect and stay connected. After `auth_failed`, try again. */
    start(): void;
    /** Disconnect, be silent, and let go of everything. */
    stop(): void;
    /** @param {() => void} tell called after each change @returns {() => void} unsubscribes */
    subscribe(tell: () => void): () => void;
    /** The state now; the same object until something changes. */
    getState: () => import("./state.js").ClientState;
    /** Close this call's card, here and in all of the user's tabs. */
    dismiss: (id: string) => void;
    /** Close every card. */
    dismissAll(): void;
    /** Silence this call's ring, in all tabs of this browser. @param {string} id */
    mute(id: string): void;
    /** Switch the ring off or on for good, in all tabs of this browser. @param {boolean} off */
    setMuted(off: boolean): void;
    /** Let the browser play sound; call it from a click. */
    unlockSound(): void;
    /** Play what a second call sounds like, to hear whether sound works. */
    testSound(): void;
    /** Ask for desktop notifications; call it from a click. */
    requestNotifications(): Promise<import("./desktop.js").Permission>;
    /**
     * What a call needs to be seen and heard here, judged. A finding's `fix` says which function helps, called from a
     * click: `login` start(), `sound` setMuted(false), `notifications` requestNotifications().
     */
    diagnose: () => import("./diagnose.js").Finding[];
    /**
     * Have the server show a test call to all of this user's tabs; resolves when it came, or did not.
     * @returns {Promise<import('./testcall.js').TestOutcome>}
     */
    testCall: () => Promise<import("./testcall.js").TestOutcome>;
    /** The user's own calls, the newest first. Throws `HistoryError`. */
    history: (query?: import("./api.js").HistoryQuery, signal?: AbortSignal) => Promise<import("./api.js").HistoryPage>;
    /** Forget what was missed while away. */
    clearMissed(): void;
    /** The server's time, ms: timers are `now() - call.answered_at`. */
    now: () => number;
    /** @param {string|null} lang of titles and notifications */
    setLanguage(lang: string | null): void;
};
export type CallClient = ReturnType<typeof createCallClient>;
export type Call = import("./protocol.js").Call;
export type ShownCall = import("./state.js").ShownCall;
export type ClientState = import("./state.js").ClientState;
export type ClientOptions = {
    /**
     * where the notifier is, such as `https://crm.example.ru:5004`; by default where this
     * module came from
     */
    url?: string | null | undefined;
    /**
     * the user's token (JWT); asked on each connect and before it expires
     */
    getToken: () => string | Promise<string>;
    /**
     * 'ru' (default) or 'en'
     */
    lang?: string | null | undefined;
    /**
     * 'synth' (default), 'off', or the URL of a sound file
     */
    ringtone?: string | undefined;
    /**
     * default true; shown only after the user allowed them
     */
    desktopNotifications?: boolean | undefined;
    /**
     * default true: the tab's title and icon say who rings
     */
    titleBadge?: boolean | undefined;
    /**
     * how many calls are shown at once, default 3
     */
    maxVisible?: number | undefined;
    /**
     * close ended calls after this long; default 0, never
     */
    endedAutoCloseMs?: number | undefined;
};
