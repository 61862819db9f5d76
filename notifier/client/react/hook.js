/** `useCallNotifications`: the calls of the user, as React state. */

import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { IDLE } from '../core/state.js';
import { hold, keyOf, shared } from './shared.js';

/**
 * @typedef {import('./shared.js').SharedOptions} SharedOptions
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../core/client.js').CallClient} CallClient
 */

/**
 * Connects while mounted. Any number of these, and of `<CallNotification/>`, share one socket if their options agree.
 * @param {SharedOptions} options
 */
export function useCallNotifications(options) {
  const client = useSharedClient(options);
  const state = useSyncExternalStore(client?.subscribe ?? never, client?.getState ?? idle, idle);
  return useMemo(
    () => ({
      ...state,
      /** The call of the main card. */
      primary: /** @type {import('../core/state.js').ShownCall|null} */ (state.calls[0] ?? null),
      client,
      dismiss: (/** @type {string} */ id) => client?.dismiss(id),
      dismissAll: () => client?.dismissAll(),
      mute: (/** @type {string} */ id) => client?.mute(id),
      setMuted: (/** @type {boolean} */ off) => client?.setMuted(off),
      unlockSound: () => client?.unlockSound(),
      requestNotifications: async () => client?.requestNotifications(),
      diagnose: () => client?.diagnose() ?? [],
      /** @returns {Promise<import('../core/testcall.js').TestOutcome>} */
      testCall: () => client?.testCall() ?? Promise.resolve('offline'),
      clearMissed: () => client?.clearMissed(),
      /** The server's time: `now() - call.answered_at` is how long a talk has lasted. */
      now: () => client?.now() ?? Date.now(),
    }),
    [client, state],
  );
}

/**
 * @param {SharedOptions} options
 * @returns {CallClient|null} null where there is no browser (server rendering)
 */
export function useSharedClient(options) {
  const key = keyOf(options);
  const entry = useMemo(
    () => (typeof window === 'undefined' ? null : shared(options)),
    // The key says all that matters of the options; `getToken` is replaced below.
    [key],
  );
  useEffect(() => {
    if (entry) entry.getToken = options.getToken;
  });
  useEffect(() => (entry ? hold(entry) : undefined), [entry]);
  return entry?.client ?? null;
}

const idle = () => IDLE;
const never = () => () => {};
