/**
 * The call client: one socket, the calls it tells of, and the alerts they cause. Framework-free; everything that shows
 * calls (the element, the React hook, your own code) subscribes to its immutable state.
 */

import { baseUrl, socketUrl } from './address.js';
import { createAbsence } from './absence.js';
import { createAlerts } from './alerts.js';
import { fetchHistory } from './api.js';
import { createCallBook } from './callbook.js';
import { ordered } from './calls.js';
import { createClock } from './clock.js';
import { createConnection } from './connection.js';
import { findings } from './diagnose.js';
import { createMemory } from './memory.js';
import { createPress } from './press.js';
import { createSound } from './sound.js';
import { shownCalls, soundState } from './state.js';
import { createTestCall } from './testcall.js';
import { listenForWakeups } from './wakeups.js';
import { pickLanguage, translator } from '../strings/index.js';

/**
 * @typedef {import('./protocol.js').Call} Call
 * @typedef {import('./state.js').ShownCall} ShownCall
 * @typedef {import('./state.js').ClientState} ClientState
 *
 * @typedef {object} ClientOptions
 * @property {string|null} [url] where the notifier is, such as `https://crm.example.ru:5004`; by default where this
 *   module came from
 * @property {() => string|Promise<string>} getToken the user's token (JWT); asked on each connect and before it expires
 * @property {string|null} [lang] 'ru' (default) or 'en'
 * @property {string} [ringtone] 'synth' (default), 'off', or the URL of a sound file
 * @property {boolean} [desktopNotifications] default true; shown only after the user allowed them
 * @property {boolean} [titleBadge] default true: the tab's title and icon say who rings
 * @property {number} [maxVisible] how many calls are shown at once, default 3
 * @property {number} [endedAutoCloseMs] close ended calls after this long; default 0, never
 */

const TEST_CALL_RUNNING = 'test_call_running';

/**
 * @param {ClientOptions} options
 * @param {Window & typeof globalThis} [window]
 */
export function createCallClient(options, window = globalThis.window) {
  const { document } = window;
  const base = baseUrl(options.url, document.baseURI);
  const tabId = randomId(window);
  const memory = createMemory(window);
  const clock = createClock({ wall: () => window.Date.now(), monotonic: () => window.performance.now() });
  let t = translator(pickLanguage(options.lang));

  /** @type {Set<() => void>} */
  const subscribers = new Set();
  /** @type {import('./protocol.js').Hello|null} */
  let hello = null;
  /** @type {Set<string>} */
  const sourcesDown = new Set();
  const calls = createCallBook({
    clock,
    autoCloseMs: options.endedAutoCloseMs ?? 0,
    send: (message) => connection.send(message),
    onChange: changed,
    window,
  });
  const testCall = createTestCall({
    ask: () => connection.send({ type: 'test_call' }),
    calls: () => [...calls.current().entries.values()].map(({ call }) => call),
    window,
  });
  const absence = createAbsence({ clock, memory, history, onChange: changed, window });
  /** @type {import('./sound.js').Sound|null} */
  let sound = null;
  /** @type {import('./alerts.js').Alerts|null} */
  let alerts = null;
  /** @type {import('./press.js').Press|null} */
  let press = null;
  /** @type {(() => void)|null} */
  let stopListening = null;

  const connection = createConnection({
    url: socketUrl(base),
    getToken: options.getToken,
    tabId,
    onMessage: received,
    onStatus: statusChanged,
    env: {
      WebSocket: window.WebSocket,
      setTimeout: (run, ms) => window.setTimeout(run, ms),
      clearTimeout: (timer) => window.clearTimeout(timer),
      random: Math.random,
      wall: () => window.Date.now(),
    },
  });

  /** @type {ClientState} */
  let state = Object.freeze(snapshotOfState());

  /** @returns {ClientState} */
  function snapshotOfState() {
    return {
      connection: connection.status(),
      lost: absence.lost(),
      calls: shownCalls(calls.current()),
      missed: absence.missed(),
      sound: soundState(sound, mutedByUser()),
      isRinger: alerts?.isRinger() ?? false,
      notifications: alerts?.desktop.permission() ?? 'default',
      user: hello?.user ?? null,
      numbers: hello?.numbers ?? null,
      sourcesDown: [...sourcesDown],
      maxVisible: options.maxVisible ?? 3,
    };
  }

  /** Something may have changed: alerts follow at once; what is seen, not while the user presses on it. */
  function changed() {
    if (!press) return;
    alerts?.update(ordered(calls.current()), !absence.lost() && connection.status() !== 'auth_failed');
    press.after(publish);
  }

  function publish() {
    const next = Object.freeze(snapshotOfState());
    const soundChanged = next.sound !== state.sound || next.notifications !== state.notifications;
    state = next;
    if (soundChanged) tellStatus();
    for (const tell of [...subscribers]) tell();
  }

  /** @param {import('./protocol.js').ServerMessage} message */
  function received(message) {
    if (message.server_time) clock.observe(message.server_time);
    if (message.type !== 'hello') absence.heard();
    if (message.type === 'error' && message.code === TEST_CALL_RUNNING) testCall.refused();
    if (message.type === 'heartbeat' || message.type === 'error') return; // They change nothing that is shown.
    if (message.type === 'hello') greet(message);
    calls.receive(message);
    testCall.look();
    if (message.type === 'source') sourcesDown[message.up ? 'delete' : 'add'](message.pbx);
    if (message.type === 'dismissed') absence.dismissed(message.call_id);
    if (message.type === 'snapshot') void absence.snapshot(message.calls, (id) => calls.current().dismissed.has(id));
    changed();
  }

  /** @param {import('./protocol.js').Hello} message */
  function greet(message) {
    if (hello?.user.id !== message.user.id) {
      if (hello) calls.clear(); // Another user's token: nothing of the first one may stay.
      openAlerts(message.user.id);
    }
    absence.greeted(message.user.id);
    hello = message;
    tellStatus();
  }

  /** @param {number} userId */
  function openAlerts(userId) {
    closeAlerts();
    alerts = createAlerts({
      sound: /** @type {import('./sound.js').Sound} */ (sound),
      muted: mutedByUser,
      t: () => t,
      tabId,
      scope: `${base}#${userId}`,
      base,
      notifications: options.desktopNotifications ?? true,
      badge: options.titleBadge ?? true,
      onChange: changed,
      onMuted(id) {
        calls.mute(id);
        changed();
      },
      window,
    });
  }

  function closeAlerts() {
    const closing = alerts;
    alerts = null; // Closing reports changes, which must not reach it again.
    closing?.close();
  }

  /** @param {import('./connection.js').Status} status */
  function statusChanged(status) {
    absence.statusChanged(status);
    if (status !== 'online') {
      sourcesDown.clear();
      calls.disconnected();
    }
    // For whoever puts this into a page: the server's reason names the setting to look at.
    if (status === 'auth_failed') window.console.warn(`Zvonok: ${connection.lastClose()?.message || 'getToken gave no token'}`);
    changed();
  }

  /** The computer slept, or its clock was set: what we know may be old, so ask for everything. */
  function checkClock() {
    if (clock.jumped()) connection.resync();
  }

  function mutedByUser() {
    return memory.get('sound') === 'off';
  }

  function tellStatus() {
    const { sound: heard, notifications } = state;
    connection.send({
      type: 'client_status',
      sound: heard,
      notifications: notifications === 'insecure' ? 'unsupported' : notifications,
      visible: document.visibilityState === 'visible',
    });
  }

  /** @param {import('./api.js').HistoryQuery} [query] @param {AbortSignal} [signal] */
  async function history(query = {}, signal) {
    const token = await options.getToken();
    return fetchHistory({ base, token, query, fetch: window.fetch.bind(window), signal });
  }

  /** @param {string} id */
  function dismiss(id) {
    calls.dismiss(id);
    absence.dismissed(id);
    changed();
  }

  return {
    /** Connect and stay connected. After `auth_failed`, try again. */
    start() {
      if (!stopListening) {
        press = createPress(window);
        sound = createSound({ ringtone: options.ringtone ?? 'synth', onChange: changed, window });
        stopListening = listenForWakeups({
          gesture: () => sound?.unlock(),
          network: connection.retryNow,
          restored: connection.resync,
          checkClock,
          visibility: tellStatus,
          storage: changed,
        }, window);
      }
      connection.start();
    },
    /** Disconnect, be silent, and let go of everything. */
    stop() {
      if (!stopListening) return;
      stopListening();
      press?.close();
      stopListening = press = null;
      connection.stop();
      testCall.close();
      absence.stop();
      closeAlerts();
      sound?.close();
      sound = hello = null;
      calls.clear();
      sourcesDown.clear();
      state = Object.freeze(snapshotOfState());
      for (const tell of [...subscribers]) tell();
    },
    /** @param {() => void} tell called after each change @returns {() => void} unsubscribes */
    subscribe(tell) {
      subscribers.add(tell);
      return () => subscribers.delete(tell);
    },
    /** The state now; the same object until something changes. */
    getState: () => state,
    /** Close this call's card, here and in all of the user's tabs. */
    dismiss,
    /** Close every card. */
    dismissAll() {
      for (const { call } of ordered(calls.current())) dismiss(call.call_id);
    },
    /** Silence this call's ring, in all tabs of this browser. @param {string} id */
    mute(id) {
      calls.mute(id);
      alerts?.tellMuted(id);
      changed();
    },
    /** Switch the ring off or on for good, in all tabs of this browser. @param {boolean} off */
    setMuted(off) {
      memory.set('sound', off ? 'off' : null);
      if (!off) sound?.unlock();
      changed();
    },
    /** Let the browser play sound; call it from a click. */
    unlockSound() {
      sound?.unlock();
      alerts?.forgetSilenced();
      changed(); // the press before this click may have started the audio already
    },
    /** Play what a second call sounds like, to hear whether sound works. */
    testSound() {
      sound?.unlock();
      sound?.beep();
    },
    /** Ask for desktop notifications; call it from a click. */
    async requestNotifications() {
      const answer = (await alerts?.desktop.request()) ?? 'default';
      changed();
      return answer;
    },
    /**
     * What a call needs to be seen and heard here, judged. A finding's `fix` says which function helps, called from a
     * click: `login` start(), `sound` setMuted(false), `notifications` requestNotifications().
     */
    diagnose: () =>
      findings({
        connection: state.connection,
        lastClose: connection.lastClose(),
        tokenLeftMs: hello?.token_expires_at ? hello.token_expires_at - clock.now() : null,
        numbers: state.numbers,
        sourcesDown: state.sourcesDown,
        sound: state.sound,
        soundWanted: sound?.supported() ?? true,
        notifications: state.notifications,
        notificationsWanted: options.desktopNotifications ?? true,
        secure: window.isSecureContext,
        clockOffsetMs: clock.offset(),
      }),
    /**
     * Have the server show a test call to all of this user's tabs; resolves when it came, or did not.
     * @returns {Promise<import('./testcall.js').TestOutcome>}
     */
    testCall: () => testCall.start(),
    /** The user's own calls, the newest first. Throws `HistoryError`. */
    history,
    /** Forget what was missed while away. */
    clearMissed() {
      absence.clear();
      changed();
    },
    /** The server's time, ms: timers are `now() - call.answered_at`. */
    now: () => clock.now(),
    /** @param {string|null} lang of titles and notifications */
    setLanguage(lang) {
      t = translator(pickLanguage(lang));
      changed();
    },
  };
}

/** @typedef {ReturnType<typeof createCallClient>} CallClient */

/** @param {Window & typeof globalThis} window */
function randomId(window) {
  // `crypto.randomUUID` is missing on plain-http pages; `getRandomValues` is there.
  const bytes = window.crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
