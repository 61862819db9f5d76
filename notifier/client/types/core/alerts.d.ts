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
export function createAlerts({ sound, muted, t, tabId, scope, base, notifications, badge, onChange, onMuted, window }: {
    sound: import("./sound.js").Sound;
    muted: () => boolean;
    t: () => import("../strings/index.js").Translate;
    tabId: string;
    scope: string;
    base: string;
    notifications: boolean;
    badge: boolean;
    onChange: () => void;
    onMuted: (id: string) => void;
    window: Window & typeof globalThis;
}): Alerts;
export type Entry = import("./calls.js").Entry;
export type Alerts = {
    /**
     * all shown calls; not `alive`: news is missing, so
     * nothing may ring
     */
    update: (entries: readonly Entry[], alive: boolean) => void;
    /**
     * the user asked for sound: calls that began in silence may ring after all
     */
    forgetSilenced: () => void;
    /**
     * the other tabs
     */
    tellMuted: (id: string) => void;
    isRinger: () => boolean;
    desktop: import("./desktop.js").Desktop;
    close: () => void;
};
