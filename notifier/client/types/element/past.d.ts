/** @param {() => void} onFound */
export function createPast(onFound: () => void): {
    /** @param {Call|undefined} call the main card's @returns {Call[]} what is known so far */
    of: (call: Call | undefined) => Call[];
    /** @param {Call} call @param {import('../core/client.js').CallClient} client */
    load(call: Call, client: import("../core/client.js").CallClient): Promise<void>;
};
export type Call = import("../core/protocol.js").Call;
