/**
 * The call client: one socket, the calls it tells of, and the alerts they cause. Framework-free; everything that shows
 * calls (the element, the React hook, your own code) subscribes to its immutable state.
 */

import { baseUrl, socketUrl } from './address.js';
import { createAlerts } from './alerts.js';
import { fetchHistory } from './api.js';
import * as book from './calls.js';
import { createClock } from './clock.js';
import { createConnection } from './connection.js';
import { findings } from './diagnose.js';
import { createMemory } from './memory.js';
import { createSound } from './sound.js';
import { pickLanguage, translator } from '../strings/index.js';

/**
 * @typedef {import('./protocol.js').Call} Call
 * @typedef {Call & {muted: boolean, provisional: boolean, repeats: number}} ShownCall `repeats`: how often this number
 *   rang within 10 minutes, this call included
 *
 * @typedef {object} ClientOptions
 * @property {string|null} [url] where the notifier is, such as `https://crm.example.ru:5004`; by default where this
 *   module came from
 * @property {() => string|Promise<string>} getToken the user's token (JWT); asked on each connect and before it expires
 * @property {string|null} [lang] 'ru' or 'en'; by default the browser's
 * @property {string} [ringtone] 'synth' (default), 'off', or the URL of a sound file
 * @property {boolean} [desktopNotifications] default true; shown only after the user allowed them
 * @property {boolean} [titleBadge] default true: the tab's title and icon say who rings
 * @property {number} [maxVisible] how many calls are shown at once, default 3
 * @property {number} [endedAutoCloseMs] close ended calls after this long; default 0, never
 *
 * @typedef {object} ClientState
 * @property {import('./connection.js').Status} connection
 * @property {boolean} lost there has been no connection for 10 s: what is shown may be old
 * @property {readonly ShownCall[]} calls the most important first
 * @property {readonly Call[]} missed calls missed while no tab of this browser was connected
 * @property {'ready'|'blocked'|'muted'} sound
 * @property {boolean} isRinger whether this tab is the one that rings
 * @property {import('./desktop.js').Permission} notifications
 * @property {import('./protocol.js').Person|null} user
 * @property {readonly import('./protocol.js').OwnNumber[]|null} numbers null while the CRM's database cannot be asked
 * @property {readonly string[]} sourcesDown PBXs from which nothing is heard
 * @property {number} maxVisible
 */

const LOST_AFTER_MS = 10_000;
const AWAY_MS = 15_000;
const REPEAT_WINDOW_MS = 600_000;
const CLOCK_CHECK_MS = 5000;
const SEEN_EVERY_MS = 5000;

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

  let calls = book.EMPTY;
  /** @type {Set<string>} dismissals that the server may not know yet */
  const unsaid = new Set();
  /** @type {Set<() => void>} */
  const subscribers = new Set();
  /** @type {import('./protocol.js').Hello|null} */
  let hello = null;
  /** @type {Call[]} */
  let missed = [];
  /** @type {Set<string>} */
  const sourcesDown = new Set();
  let lost = false;
  let awaySince = 0;
  let seenAt = 0;
  /** @type {{lost: any, deadline: any, clock: any}} */
  const timers = { lost: null, deadline: null, clock: null };
  /** @type {import('./sound.js').Sound|null} */
  let sound = null;
  /** @type {import('./alerts.js').Alerts|null} */
  let alerts = null;
  /** @type {AbortController|null} */
  let life = null;

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
    const everyCall = [...calls.entries.values()].map(({ call }) => call);
    return {
      connection: connection.status(),
      lost,
      calls: book.ordered(calls).map(({ call, muted, provisional }) =>
        Object.freeze({ ...call, muted, provisional, repeats: book.repeats(everyCall, call, REPEAT_WINDOW_MS) }),
      ),
      missed,
      sound: mutedByUser() || (sound !== null && !sound.supported()) ? 'muted' : sound?.running() ? 'ready' : 'blocked',
      isRinger: alerts?.isRinger() ?? false,
      notifications: alerts?.desktop.permission() ?? 'default',
      user: hello?.user ?? null,
      numbers: hello?.numbers ?? null,
      sourcesDown: [...sourcesDown],
      maxVisible: options.maxVisible ?? 3,
    };
  }

  /** Something may have changed: alerts follow, then everybody who subscribed is told. */
  function changed() {
    if (!life) return;
    alerts?.update(book.ordered(calls), !lost && connection.status() !== 'auth_failed');
    planDeadline();
    const next = Object.freeze(snapshotOfState());
    const soundChanged = next.sound !== state.sound || next.notifications !== state.notifications;
    state = next;
    if (soundChanged) tellStatus();
    for (const tell of [...subscribers]) tell();
  }

  /** @param {import('./protocol.js').ServerMessage} message */
  function received(message) {
    if (message.server_time) clock.observe(message.server_time);
    remember();
    switch (message.type) {
      case 'hello':
        greet(message);
        break;
      case 'snapshot':
        for (const id of message.dismissed) calls = book.withDismissed(calls, id);
        calls = book.withSnapshot(calls, message.calls, message.pbxs, clock.now());
        if (awaySince) void collectMissed(awaySince, message.calls.filter(book.isMissed));
        awaySince = 0;
        break;
      case 'call':
        calls = book.withCall(calls, message.call);
        break;
      case 'dismissed':
        calls = book.withDismissed(calls, message.call_id);
        missed = missed.filter((call) => call.call_id !== message.call_id);
        unsaid.delete(message.call_id);
        break;
      case 'source':
        sourcesDown[message.up ? 'delete' : 'add'](message.pbx);
        break;
      default:
        return; // Heartbeats and errors change nothing that is shown.
    }
    calls = book.withTime(calls, clock.now(), options.endedAutoCloseMs);
    changed();
  }

  /** @param {import('./protocol.js').Hello} message */
  function greet(message) {
    const sameUser = hello?.user.id === message.user.id;
    if (!sameUser) {
      calls = hello ? book.EMPTY : calls;
      openAlerts(message.user.id);
      const seen = Number(memory.get(`seen.${message.user.id}`) ?? 0);
      if (seen && clock.now() - seen > AWAY_MS) awaySince = seen;
    }
    hello = message;
    for (const call_id of unsaid) connection.send({ type: 'dismiss', call_id });
    tellStatus();
  }

  /** @param {number} userId */
  function openAlerts(userId) {
    alerts?.close();
    alerts = createAlerts({
      sound: /** @type {import('./sound.js').Sound} */ (sound),
      muted: mutedByUser,
      t: () => t,
      tabId,
      scope: `${base}#${userId}`,
      notifications: options.desktopNotifications ?? true,
      badge: options.titleBadge ?? true,
      onChange: changed,
      onMuted(id) {
        calls = book.withMuted(calls, id);
        changed();
      },
      window,
    });
  }

  /** What was missed while nobody looked: the history knows all, the snapshot at least the last minutes. */
  async function collectMissed(/** @type {number} */ since, /** @type {Call[]} */ recent) {
    missed = recent.filter((call) => book.endedAt(call) > since);
    try {
      const { calls: older } = await history({ since, reason: 'missed', limit: 50 });
      const known = new Set(missed.map((call) => call.call_id));
      const added = older.filter((call) => !known.has(call.call_id) && book.endedAt(call) > since);
      missed = [...missed, ...added].filter((call) => !calls.dismissed.has(call.call_id));
    } catch {
      // The database may be down; the snapshot's calls are shown all the same.
    }
    changed();
  }

  /** @param {import('./connection.js').Status} status */
  function statusChanged(status) {
    if (status === 'online') {
      window.clearTimeout(timers.lost);
      timers.lost = null;
      lost = false;
    } else if (timers.lost === null && status !== 'idle') {
      if (seenAt && clock.now() - seenAt > AWAY_MS) awaySince = seenAt;
      timers.lost = window.setTimeout(() => {
        lost = true;
        awaySince ||= seenAt;
        changed();
      }, LOST_AFTER_MS);
    }
    if (status !== 'online') sourcesDown.clear();
    changed();
  }

  function remember() {
    const now = clock.now();
    if (hello && now - seenAt > SEEN_EVERY_MS) {
      seenAt = now;
      memory.set(`seen.${hello.user.id}`, String(now));
    }
  }

  function planDeadline() {
    window.clearTimeout(timers.deadline);
    const deadline = book.nextDeadline(calls, options.endedAutoCloseMs);
    if (deadline === null) return;
    timers.deadline = window.setTimeout(() => {
      calls = book.withTime(calls, clock.now(), options.endedAutoCloseMs);
      changed();
    }, Math.max(50, deadline - clock.now()));
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
    calls = book.withDismissed(calls, id);
    missed = missed.filter((call) => call.call_id !== id);
    unsaid.add(id);
    connection.send({ type: 'dismiss', call_id: id });
    changed();
  }

  function listen() {
    life = new AbortController();
    const always = { signal: life.signal };
    const early = { signal: life.signal, capture: true };
    const unlock = () => sound?.unlock();
    window.addEventListener('pointerdown', unlock, early);
    window.addEventListener('keydown', unlock, early);
    window.addEventListener('online', () => connection.retryNow(), always);
    window.addEventListener('pageshow', (event) => event.persisted && connection.resync(), always);
    window.addEventListener('storage', (event) => event.key === 'zvonok.sound' && changed(), always);
    document.addEventListener(
      'visibilitychange',
      () => {
        tellStatus();
        if (document.visibilityState !== 'visible') return;
        checkClock();
        connection.retryNow();
      },
      always,
    );
    timers.clock = window.setInterval(checkClock, CLOCK_CHECK_MS);
  }

  return {
    /** Connect and stay connected. After `auth_failed`, try again. */
    start() {
      if (!life) {
        sound = createSound({ ringtone: options.ringtone ?? 'synth', onChange: changed, window });
        listen();
      }
      connection.start();
    },
    /** Disconnect, be silent, and let go of everything. */
    stop() {
      if (!life) return;
      connection.stop();
      life.abort();
      window.clearInterval(timers.clock);
      for (const timer of [timers.lost, timers.deadline]) window.clearTimeout(timer);
      timers.lost = timers.deadline = timers.clock = null;
      alerts?.close();
      sound?.close();
      life = alerts = sound = hello = null;
      lost = false;
      calls = book.EMPTY;
      missed = [];
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
      for (const { call } of book.ordered(calls)) dismiss(call.call_id);
    },
    /** Silence this call's ring, in all tabs of this browser. @param {string} id */
    mute(id) {
      calls = book.withMuted(calls, id);
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
    /** What a call needs to be seen and heard here, judged. */
    diagnose: () =>
      findings({
        connection: state.connection,
        lastClose: connection.lastClose(),
        tokenLeftMs: hello?.token_expires_at ? hello.token_expires_at - clock.now() : null,
        numbers: state.numbers,
        sourcesDown: state.sourcesDown,
        sound: state.sound,
        notifications: state.notifications,
        secure: window.isSecureContext,
        clockOffsetMs: clock.offset(),
      }),
    /** Have the server show a test call to all of this user's tabs. @returns {boolean} false if offline */
    testCall: () => connection.send({ type: 'test_call' }),
    /** The user's own calls, the newest first. Throws `HistoryError`. */
    history,
    /** Forget what was missed while away. */
    clearMissed() {
      missed = [];
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
