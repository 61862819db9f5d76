/**
 * @param {Facts} facts
 * @returns {Finding[]} in the order in which a call needs them
 */
export function findings(facts: Facts): Finding[];
/**
 * All findings in one: the worst level.
 * @param {readonly Finding[]} all
 * @returns {Level}
 */
export function verdict(all: readonly Finding[]): Level;
export type Level = "ok" | "warn" | "bad";
export type Finding = {
    id: "socket" | "token" | "numbers" | "source" | "sound" | "notifications" | "secure" | "clock";
    level: Level;
    /**
     * key of the sentence that says how it is and, unless it is ok, what to do
     */
    text: string;
    values: Record<string, string | number>;
    /**
     * what one click of the user can do about it (`CallClient.diagnose` says how)
     */
    fix: Fix | null;
};
export type Fix = "login" | "sound" | "notifications";
export type Facts = {
    connection: import("./connection.js").Status;
    lastClose: {
        code: number;
        message: string;
    } | null;
    tokenLeftMs: number | null;
    numbers: readonly {
        number: string;
        label: string | null;
    }[] | null;
    sourcesDown: readonly string[];
    sound: "ready" | "blocked" | "muted";
    /**
     * false where this page shows calls without sound, or the browser has none
     */
    soundWanted: boolean;
    notifications: import("./desktop.js").Permission;
    /**
     * false where this page does without them
     */
    notificationsWanted: boolean;
    secure: boolean;
    clockOffsetMs: number | null;
};
