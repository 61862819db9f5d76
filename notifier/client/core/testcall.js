/** A test call: asked for, and waited for until it has come the whole way from the server. */

/**
 * @typedef {'arrived'|'lost'|'offline'|'running'} TestOutcome `lost`: it was asked for and did not come; `offline`: it
 *   could not be asked for; `running`: the server is busy with another one for this user
 */

const ARRIVES_WITHIN_MS = 5000;

/**
 * @param {object} options
 * @param {() => boolean} options.ask asks the server for one; false if offline
 * @param {() => Iterable<import('./protocol.js').Call>} options.calls all that are known
 * @param {Window & typeof globalThis} options.window
 */
export function createTestCall({ ask, calls, window }) {
  /** @type {{promise: Promise<TestOutcome>, settle: (outcome: TestOutcome) => void, known: Set<string>}|null} */
  let waiting = null;
  /** @type {any} */
  let timer = null;

  const tests = () => [...calls()].filter((call) => call.test).map((call) => call.call_id);

  /** @param {TestOutcome} outcome */
  function settle(outcome) {
    window.clearTimeout(timer);
    waiting?.settle(outcome);
    waiting = null;
  }

  return {
    /** @returns {Promise<TestOutcome>} asked again while it waits, it gives the same answer */
    start() {
      if (waiting) return waiting.promise;
      if (!ask()) return Promise.resolve('offline');
      /** @type {(outcome: TestOutcome) => void} */
      let resolve = () => {};
      const promise = new Promise((/** @type {(outcome: TestOutcome) => void} */ done) => (resolve = done));
      waiting = { promise, settle: resolve, known: new Set(tests()) };
      timer = window.setTimeout(() => settle('lost'), ARRIVES_WITHIN_MS);
      return promise;
    },
    /** The calls have changed. */
    look() {
      if (waiting && tests().some((id) => !waiting?.known.has(id))) settle('arrived');
    },
    /** The server refused it. */
    refused: () => settle('running'),
    close: () => settle('offline'),
  };
}
