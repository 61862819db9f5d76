/**
 * @param {object} options
 * @param {() => boolean} options.ask asks the server for one; false if offline
 * @param {() => Iterable<import('./protocol.js').Call>} options.calls all that are known
 * @param {Window & typeof globalThis} options.window
 */
export function createTestCall({ ask, calls, window }: {
    ask: () => boolean;
    calls: () => Iterable<import("./protocol.js").Call>;
    window: Window & typeof globalThis;
}): {
    /** @returns {Promise<TestOutcome>} asked again while it waits, it gives the same answer */
    start(): Promise<TestOutcome>;
    /** The calls have changed. */
    look(): void;
    /** The server refused it. */
    refused: () => void;
    close: () => void;
};
/**
 * `lost`: it was asked for and did not come; `offline`: it
 *   could not be asked for; `running`: the server is busy with another one for this user
 */
export type TestOutcome = "arrived" | "lost" | "offline" | "running";
