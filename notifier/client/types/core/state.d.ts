/**
 * The calls to show, the most important first.
 * @param {import('./calls.js').Book} book
 * @returns {readonly ShownCall[]}
 */
export function shownCalls(book: import("./calls.js").Book): readonly ShownCall[];
/**
 * @param {import('./sound.js').Sound|null} sound
 * @param {boolean} switchedOff
 * @returns {SoundState}
 */
export function soundState(sound: import("./sound.js").Sound | null, switchedOff: boolean): SoundState;
/** @type {ClientState} what is known before anything is. */
export const IDLE: ClientState;
export type Call = import("./protocol.js").Call;
/**
 * `repeats`: how often this number
 *  rang within 10 minutes, this call included
 */
export type ShownCall = Call & {
    muted: boolean;
    provisional: boolean;
    repeats: number;
};
/**
 * `blocked`: the browser waits for a click; `muted`: switched off
 */
export type SoundState = "ready" | "blocked" | "muted";
export type ClientState = {
    connection: import("./connection.js").Status;
    /**
     * there has been no connection for 10 s: what is shown may be old
     */
    lost: boolean;
    /**
     * the most important first
     */
    calls: readonly ShownCall[];
    /**
     * calls missed while no tab of this browser was connected
     */
    missed: readonly Call[];
    sound: SoundState;
    /**
     * whether this tab is the one that rings
     */
    isRinger: boolean;
    notifications: import("./desktop.js").Permission;
    user: import("./protocol.js").Person | null;
    /**
     * null while the CRM's database cannot be asked
     */
    numbers: readonly import("./protocol.js").OwnNumber[] | null;
    /**
     * PBXs from which nothing is heard
     */
    sourcesDown: readonly string[];
    maxVisible: number;
};
