/**
 * @param {Facts} facts
 * @returns {Finding[]} in the order in which a call needs them
 */
export function findings(facts: Facts): Finding[];
export type Level = "ok" | "warn" | "bad";
export type Finding = {
    id: "socket" | "token" | "numbers" | "source" | "sound" | "notifications" | "secure" | "clock";
    level: Level;
    /**
     * key of the sentence that says how it is and, unless it is ok, what to do
     */
    text: string;
    values: Record<string, string | number>;
};
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
    notifications: import("./desktop.js").Permission;
    secure: boolean;
    clockOffsetMs: number | null;
};
