/**
 * The client for these options; it is not started yet.
 * @param {SharedOptions} options
 * @returns {Shared}
 */
export function shared(options: SharedOptions): Shared;
/** @param {SharedOptions} options */
export function keyOf({ url, user, lang, ringtone, desktopNotifications, titleBadge, maxVisible, endedAutoCloseMs }: SharedOptions): string;
/**
 * Start it, or keep it running.
 * @param {Shared} entry
 * @returns {() => void} releases it
 */
export function hold(entry: Shared): () => void;
export type ClientOptions = import("../core/client.js").ClientOptions;
/**
 * `user`: whose calls; change it when another user logs
 *  in, and the old one's socket is closed
 */
export type SharedOptions = ClientOptions & {
    user?: string | number;
};
export type Shared = {
    key: string;
    client: import("../core/client.js").CallClient;
    /**
     * the latest one; it may be a new function on each render
     */
    getToken: ClientOptions["getToken"];
    holders: number;
};
