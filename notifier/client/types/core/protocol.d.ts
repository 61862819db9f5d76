/**
 * One frame from the server, or null for what this client cannot use (broken, of another version, of an unknown type).
 * @param {unknown} frame
 * @returns {ServerMessage|null}
 */
export function parse(frame: unknown): ServerMessage | null;
/**
 * A call from the network, or null if what makes it a call is missing.
 * @param {any} raw
 * @returns {Call|null}
 */
export function parseCall(raw: any): Call | null;
export const VERSION: 1;
/** Close codes of the server that the client treats differently. */
export const CLOSE: Readonly<{
    BAD_MESSAGE: 4400;
    UNAUTHENTICATED: 4401;
    FORBIDDEN: 4403;
    TOO_SLOW: 4408;
    TOO_MANY: 4409;
    RESTARTING: 1012;
}>;
export type CallState = "ringing" | "talking" | "ended";
export type EndReason = "completed" | "missed" | "busy" | "rejected" | "answered_elsewhere" | "transferred" | "failed" | "unknown";
export type Caller = {
    /**
     * E.164 with `+` where it is one, else as dialled
     */
    number: string | null;
    /**
     * the name that the telephone network sent
     */
    display: string | null;
    /**
     * the name in the CRM
     */
    name: string | null;
    kind: "user" | "dealer" | "unknown";
    /**
     * the CRM's id of the user or dealer
     */
    id: number | null;
    company: string | null;
    /**
     * the caller hides the number
     */
    restricted: boolean;
    /**
     * how many records of the CRM have this number
     */
    matches: number;
    /**
     * the caller's card in the CRM, http(s)
     */
    url: string | null;
};
export type Line = {
    /**
     * the user's number that rings
     */
    number: string;
    /**
     * what the CRM calls that number, such as "мобильный"
     */
    label: string | null;
    queue: string | null;
};
export type End = {
    reason: EndReason;
    /**
     * Q.850
     */
    cause: number | null;
    answered_by: {
        user_id: number | null;
        name: string | null;
    } | null;
};
/**
 * one episode: it begins when the user's first phone rings, and ends when the last one is gone
 */
export type Call = {
    call_id: string;
    rev: number;
    /**
     * groups the episodes of one phone call
     */
    first_linkedid: string;
    state: CallState;
    caller: Caller;
    line: Line;
    /**
     * Unix ms, the server's clock
     */
    ring_started_at: number;
    answered_at: number | null;
    ended_at: number | null;
    end: End | null;
    pbx: string;
    test: boolean;
};
export type Person = {
    id: number;
    name: string;
};
export type OwnNumber = {
    number: string;
    label: string | null;
};
export type Hello = {
    type: "hello";
    server_time: number;
    user: Person;
    numbers: OwnNumber[] | null;
    heartbeat_ms: number;
    token_expires_at: number | null;
};
export type Snapshot = {
    type: "snapshot";
    server_time: number;
    calls: Call[];
    pbxs: string[];
    dismissed: string[];
};
export type CallMessage = {
    type: "call";
    server_time: number;
    call: Call;
};
export type Dismissed = {
    type: "dismissed";
    server_time: number;
    call_id: string;
};
export type Source = {
    type: "source";
    server_time: number;
    pbx: string;
    up: boolean;
};
export type Heartbeat = {
    type: "heartbeat";
    server_time: number;
};
export type ErrorMessage = {
    type: "error";
    server_time: number;
    code: string;
    message: string;
    retryable: boolean;
    retry_after_ms: number;
};
export type ServerMessage = Hello | Snapshot | CallMessage | Dismissed | Source | Heartbeat | ErrorMessage;
