/**
 * What a ringing call does outside the card: the ring, the tab's title, the desktop notification. One tab rings.
 */

import { createBadge } from './badge.js';
import { createDesktop } from './desktop.js';
import { createTabs } from './tabs.js';
import { callerName } from './caller.js';
import { groupNumber, joined } from './text.js';

/** @typedef {import('./calls.js').Entry} Entry */

/**
 * @typedef {object} Alerts
 * @property {(entries: readonly Entry[], alive: boolean) => void} update all shown calls; not `alive`: news is missing, so
 *   nothing may ring
 * @property {() => void} forgetSilenced the user asked for sound: calls that began in silence may ring after all
 * @property {(id: string) => void} tellMuted the other tabs
 * @property {() => boolean} isRinger
 * @property {import('./desktop.js').Desktop} desktop
 * @property {() => void} close
 */

/**
 * @param {object} options
 * @param {import('./sound.js').Sound} options.sound
 * @param {() => boolean} options.muted the user switched sound off
 * @param {() => import('../strings/index.js').Translate} options.t
 * @param {string} options.tabId
 * @param {string} options.scope server and user
 * @param {string} options.base the notifier's URL
 * @param {boolean} options.notifications
 * @param {boolean} options.badge
 * @param {() => void} options.onChange
 * @param {(id: string) => void} options.onMuted another tab silenced this call
 * @param {Window & typeof globalThis} options.window
 * @returns {Alerts}
 */
export function createAlerts({ sound, muted, t, tabId, scope, base, notifications, badge, onChange, onMuted, window }) {
  const { document } = window;
  const life = new AbortController();
  const listen = { signal: life.signal };
  // From the notifier, not from beside this module: a bundler would make data: URLs of them, which policies forbid.
  const icon = (/** @type {string} */ name) => new URL(`client/icons/${name}.svg`, base).href;
  const tabs = createTabs({ id: tabId, scope, onChange, onMessage: heard, window });
  const title = badge ? createBadge({ document, icon: icon('ringing') }) : null;
  const desktop = createDesktop({ enabled: notifications, scope, icon: icon('zvonok'), window });
  /** Ringing calls that were met: whether they may sound here, and whether somebody looked at one of our tabs then. */
  /** @type {Map<string, {silent: boolean, watched: boolean}>} */
  const met = new Map();
  /** The other tab that somebody looks at; the latest to say so, because a crashed one never takes it back. */
  let focusedElsewhere = '';

  /** @param {any} message */
  function heard(message) {
    if (message?.type === 'muted') onMuted(String(message.call_id));
    if (message?.type !== 'focus') return;
    if (message.has) focusedElsewhere = String(message.tab);
    else if (focusedElsewhere === String(message.tab)) focusedElsewhere = '';
  }

  /** @param {boolean} has */
  function tellFocus(has) {
    if (has) focusedElsewhere = '';
    tabs.post({ type: 'focus', tab: tabId, has });
  }

  window.addEventListener('focus', () => tellFocus(true), listen);
  window.addEventListener('blur', () => tellFocus(false), listen);
  window.addEventListener('pagehide', () => tellFocus(false), listen);
  if (document.hasFocus()) tellFocus(true);

  /** @param {readonly Entry[]} ringing @param {boolean} talking */
  function meet(ringing, talking) {
    const ids = new Set(ringing.map(({ call }) => call.call_id));
    for (const id of met.keys()) if (!ids.has(id)) met.delete(id);
    for (const id of ids) {
      if (met.has(id)) continue;
      met.set(id, { silent: !sound.running() && !sound.waking(), watched: document.hasFocus() || focusedElsewhere !== '' });
      if (talking && !muted() && tabs.isRinger()) sound.beep();
    }
  }

  return {
    update(entries, alive) {
      const ringing = alive ? entries.filter(({ call }) => call.state === 'ringing') : [];
      const talking = entries.some(({ call }) => call.state === 'talking');
      tabs.setCandidate(sound.running() && !muted());
      meet(ringing, talking);
      const audible = ringing.filter(({ call, muted: silenced }) => !silenced && !met.get(call.call_id)?.silent);
      tabs.setRinging(audible.length > 0);
      if (audible.length && !talking && !muted() && tabs.isRinger()) sound.startRing();
      else sound.stopRing();
      title?.show(ringing.length ? titleFor(ringing, t()) : null);
      desktop.show(
        new Map(
          ringing
            .filter(({ call, muted: silenced }) => !silenced && !met.get(call.call_id)?.watched)
            .map(({ call }) => [call.call_id, notificationFor(call, t())]),
        ),
      );
    },
    forgetSilenced() {
      for (const one of met.values()) one.silent = false;
    },
    tellMuted: (id) => tabs.post({ type: 'muted', call_id: id }),
    isRinger: tabs.isRinger,
    desktop,
    close() {
      life.abort();
      sound.stopRing();
      title?.show(null);
      desktop.close();
      tellFocus(false);
      tabs.close();
    },
  };
}

/** @param {readonly Entry[]} ringing @param {import('../strings/index.js').Translate} t */
function titleFor(ringing, t) {
  if (ringing.length > 1) return t('title.ringing_many', { n: ringing.length });
  return t('title.ringing', { name: callerName(ringing[0].call, t) });
}

/** @param {import('./protocol.js').Call} call @param {import('../strings/index.js').Translate} t */
function notificationFor(call, t) {
  const details = joined([call.caller.company, groupNumber(call.caller.number ?? '')]);
  return { title: callerName(call, t), body: [t('status.ringing'), details].filter(Boolean).join('\n') };
}
