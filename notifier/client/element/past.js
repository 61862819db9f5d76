/** The last calls with the main card's number: asked for once a card, and no more than an extra to it. */

/**
 * @typedef {import('../core/protocol.js').Call} Call
 */

const LIMIT = 3;

/** @param {() => void} onFound */
export function createPast(onFound) {
  let about = '';
  /** @type {Call[]} */
  let found = [];

  return {
    /** @param {Call|undefined} call the main card's @returns {Call[]} what is known so far */
    of: (call) => (call && call.call_id === about ? found : []),

    /** @param {Call} call @param {import('../core/client.js').CallClient} client */
    async load(call, client) {
      if (about === call.call_id) return;
      about = call.call_id;
      found = [];
      if (!call.caller.number || call.test) return;
      try {
        // This phone call may be in the history already, with more than one episode.
        const page = await client.history({ number: call.caller.number, limit: LIMIT + 3 });
        if (about !== call.call_id) return;
        const earlier = page.calls.filter((one) => one.first_linkedid !== call.first_linkedid && one.call_id !== about);
        found = earlier.slice(0, LIMIT);
        if (found.length) onFound();
      } catch {
        // The card is right without it.
      }
    },
  };
}
