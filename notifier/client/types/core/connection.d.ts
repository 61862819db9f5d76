/**
 * @param {object} options
 * @param {string} options.url the WebSocket's URL; it never carries the token
 * @param {() => string|Promise<string>} options.getToken asked on each connect and before the token expires
 * @param {string} options.tabId
 * @param {(message: import('./protocol.js').ServerMessage) => void} options.onMessage
 * @param {(status: Status) => void} options.onStatus
 * @param {ConnectionEnv} options.env
 * @returns {Connection}
 */
export function createConnection({ url, getToken, tabId, onMessage, onStatus, env }: {
    url: string;
    getToken: () => string | Promise<string>;
    tabId: string;
    onMessage: (message: import("./protocol.js").ServerMessage) => void;
    onStatus: (status: Status) => void;
    env: ConnectionEnv;
}): Connection;
export type Status = "idle" | "connecting" | "online" | "reconnecting" | "auth_failed";
export type Connection = {
    start: () => void;
    stop: () => void;
    /**
     * false if it could not be sent
     */
    send: (message: {
        type: string;
        [field: string]: unknown;
    }) => boolean;
    /**
     * if it waits to reconnect, try at once
     */
    retryNow: () => void;
    /**
     * drop the socket, if there is one, and connect anew: the server then sends everything
     */
    resync: () => void;
    status: () => Status;
    /**
     * why the last socket closed
     */
    lastClose: () => {
        code: number;
        message: string;
    } | null;
};
/**
 * what a connection needs of the browser
 */
export type ConnectionEnv = {
    WebSocket: new (url: string) => WebSocket;
    setTimeout: (run: () => void, ms: number) => any;
    clearTimeout: (timer: any) => void;
    random: () => number;
    wall: () => number;
};
