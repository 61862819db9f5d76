/** @param {() => void} onAnswer */
export function createPast(onAnswer: () => void): {
    /** @param {Call|undefined} call the main card's @returns {Past|null} what is known so far; null: nothing is asked */
    of(call: Call | undefined): Past | null;
    /** @param {Call} call @param {import('../core/client.js').CallClient} client */
    load(call: Call, client: import("../core/client.js").CallClient): Promise<void>;
};
export type Call = import("../core/protocol.js").Call;
export type Past = {
    calls: readonly Call[];
    said: "looking" | "found" | "none" | "failed";
};
