/**
 * Desktop notifications: one for each ringing call, alive exactly as long as it rings.
 *
 * All tabs would show the same, so only the tab that holds a Web Lock does (notifications need a secure context, and
 * where that is there are locks); `tag` makes the browser fold what still comes twice. Permission is only ever asked for
 * on a click.
 */

/** @typedef {'unsupported'|'insecure'|'default'|'granted'|'denied'} Permission */

/**
 * @typedef {object} Desktop
 * @property {() => Permission} permission
 * @property {() => Promise<Permission>} request call it from a click
 * @property {(wanted: ReadonlyMap<string, {title: string, body: string}>) => void} show shows these, by call_id, and
 *   closes the others
 * @property {() => void} close
 */

/**
 * @param {object} options
 * @param {boolean} options.enabled
 * @param {string} options.scope
 * @param {string} options.icon URL
 * @param {Window & typeof globalThis} options.window
 * @returns {Desktop}
 */
export function createDesktop({ enabled, scope, icon, window }) {
  /** @type {Map<string, Notification>} */
  const shown = new Map();
  const life = new AbortController();
  let mine = !window.navigator.locks;
  /** @type {ReadonlyMap<string, {title: string, body: string}>} */
  let latest = new Map();

  if (enabled && !mine) {
    window.navigator.locks
      .request(`zvonok-desktop:${scope}`, { signal: life.signal }, () => {
        mine = true;
        apply();
        return new Promise((resolve) => life.signal.addEventListener('abort', () => resolve(undefined), { once: true }));
      })
      .catch(() => {});
  }

  /** @returns {Permission} */
  function permission() {
    if (!window.isSecureContext) return 'insecure';
    return 'Notification' in window ? window.Notification.permission : 'unsupported';
  }

  function apply() {
    for (const [id, notification] of shown) {
      if (latest.has(id)) continue;
      notification.close();
      shown.delete(id);
    }
    if (!enabled || !mine || permission() !== 'granted') return;
    for (const [id, { title, body }] of latest) {
      if (shown.has(id)) continue;
      try {
        const notification = new window.Notification(title, {
          body, icon, tag: id, silent: true, requireInteraction: true,
        });
        notification.onclick = () => window.focus();
        shown.set(id, notification);
      } catch {
        return; // Chrome on Android has notifications for service workers only.
      }
    }
  }

  return {
    permission,
    async request() {
      if (permission() === 'default') await window.Notification.requestPermission();
      apply();
      return permission();
    },
    show(wanted) {
      latest = wanted;
      apply();
    },
    close() {
      latest = new Map();
      apply();
      life.abort();
    },
  };
}
