/**
 * Attributes: `url`, `lang` (ru, en), `theme` (light, dark, auto), `position` (bottom-right, bottom-left, top-right,
 * top-left, inline), `ringtone` (synth, off, URL), `token-url` (answers the user's token to a GET with cookies).
 * Properties: `client`, `getToken`, `strings`. Methods: `openCheck()`, `closeCheck()`. Slots: `extra`, `actions`. Events (bubbling, composed): `call-ringing`,
 * `call-talking`, `call-ended`, `call-dismissed`, `call-open` (cancelable), each with `detail.call`;
 * `connection-change`, `sound-change`, each with `detail.state`.
 */
export class CallNotificationElement extends HTMLElement {
    static observedAttributes: string[];
    set client(client: {
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
    } | null);
    /** The client that this element shows. Give it one to share, or let the element make its own. */
    get client(): {
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
    set getToken(getToken: (() => string | Promise<string>) | null);
    /** Where the element's own client gets the user's token. */
    get getToken(): (() => string | Promise<string>) | null;
    set strings(strings: Record<string, import("../strings/ru.js").Text>);
    /** Texts of your own, by the keys of strings/ru.js. */
    get strings(): Record<string, import("../strings/ru.js").Text>;
    /** Open the self-check «Почему я не вижу звонки?», with a test call. */
    openCheck(): void;
    closeCheck(): void;
    connectedCallback(): void;
    disconnectedCallback(): void;
    /** @param {string} name @param {string|null} before @param {string|null} after */
    attributeChangedCallback(name: string, before: string | null, after: string | null): void;
    #private;
}
export type CallClient = import("../core/client.js").CallClient;
export type ClientState = import("../core/state.js").ClientState;
export type ShownCall = import("../core/state.js").ShownCall;
