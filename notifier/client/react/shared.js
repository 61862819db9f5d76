/**
 * One client for all hooks and components that ask for the same: mounted twice, it keeps one socket.
 *
 * StrictMode and fast refresh unmount and mount again at once, so a client that nobody holds is stopped a moment later.
 */

import { createCallClient } from '../core/client.js';

/**
 * @typedef {import('../core/client.js').ClientOptions} ClientOptions
 * @typedef {ClientOptions & {user?: string|number}} SharedOptions `user`: whose calls; change it when another user logs
 *   in, and the old one's socket is closed
 *
 * @typedef {object} Shared
 * @property {string} key
 * @property {import('../core/client.js').CallClient} client
 * @property {ClientOptions['getToken']} getToken the latest one; it may be a new function on each render
 * @property {number} holders
 */

/** @type {Map<string, Shared>} */
const clients = new Map();

/**
 * The client for these options; it is not started yet.
 * @param {SharedOptions} options
 * @returns {Shared}
 */
export function shared(options) {
  const key = keyOf(options);
  const known = clients.get(key);
  if (known) return known;
  /** @type {Shared} */
  const made = {
    key,
    client: createCallClient({ ...options, getToken: () => made.getToken() }),
    getToken: options.getToken,
    holders: 0,
  };
  clients.set(key, made);
  return made;
}

/** @param {SharedOptions} options */
export function keyOf({ url, user, lang, ringtone, desktopNotifications, titleBadge, maxVisible, endedAutoCloseMs }) {
  return JSON.stringify([url, user, lang, ringtone, desktopNotifications, titleBadge, maxVisible, endedAutoCloseMs]);
}

/**
 * Start it, or keep it running.
 * @param {Shared} entry
 * @returns {() => void} releases it
 */
export function hold(entry) {
  entry.holders += 1;
  clients.set(entry.key, entry);
  if (entry.holders === 1) entry.client.start();
  return () => {
    entry.holders -= 1;
    setTimeout(() => {
      if (entry.holders > 0) return;
      entry.client.stop();
      if (clients.get(entry.key) === entry) clients.delete(entry.key);
    }, 0);
  };
}
