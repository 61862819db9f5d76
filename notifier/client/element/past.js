/** The last calls with the main card's number: asked for once a card and number, and no more than an extra to it. */

/**
 * @typedef {import('../core/protocol.js').Call} Call
 *
 * @typedef {object} Past
 * @property {readonly Call[]} calls
 * @property {'looking'|'found'|'none'|'failed'} said
 */

const LIMIT = 3;
/** @type {Past} */
const LOOKING = { calls: [], said: 'looking' };

/** @param {() => void} onAnswer */
export function createPast(onAnswer) {
  let about = '';
  let known = LOOKING;

  /** A transfer may bring another caller to the same card. @param {Call} call */
  const subject = (call) => `${call.call_id} ${call.caller.number}`;

  return {
    /** @param {Call|undefined} call the main card's @returns {Past|null} what is known so far; null: nothing is asked */
    of(call) {
      if (!call?.caller.number || call.test) return null;
      return subject(call) === about ? known : LOOKING;
    },

    /** @param {Call} call @param {import('../core/client.js').CallClient} client */
    async load(call, client) {
      const asked = subject(call);
      if (about === asked) return;
      about = asked;
      known = LOOKING;
      if (!call.caller.number || call.test) return;
      /** @type {Past} */
      let answer;
      try {
        // This phone call may be in the history already, with more than one episode.
        const page = await client.history({ number: call.caller.number, limit: LIMIT + 3 });
        const earlier = page.calls.filter((one) => one.first_linkedid !== call.first_linkedid && one.call_id !== call.call_id);
        answer = { calls: earlier.slice(0, LIMIT), said: earlier.length ? 'found' : 'none' };
      } catch {
        answer = { calls: [], said: 'failed' }; // The card is right without it.
      }
      if (about !== asked) return;
      known = answer;
      onAnswer();
    },
  };
}
