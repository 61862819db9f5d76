/**
 * One WebSocket that stays: it authenticates, notices when it is dead, and comes back with jitter.
 *
 * A refused token is not tried again: the state becomes `auth_failed` and stays until `start()` is called anew, because
 * a loop of refused logins helps nobody. A browser can neither send WebSocket pings nor see the server's, so life is
 * judged by the server's heartbeat messages.
 */

import { backoff } from './backoff.js';
import { CLOSE, parse, VERSION } from './protocol.js';
import { clean } from './text.js';

/** @typedef {'idle'|'connecting'|'online'|'reconnecting'|'auth_failed'} Status */

/**
 * @typedef {object} Connection
 * @property {() => void} start
 * @property {() => void} stop
 * @property {(message: {type: string, [field: string]: unknown}) => boolean} send false if it could not be sent
 * @property {() => void} retryNow if it waits to reconnect, try at once
 * @property {() => void} resync drop the socket, if there is one, and connect anew: the server then sends everything
 * @property {() => Status} status
 * @property {() => {code: number, message: string}|null} lastClose why the last socket closed
 */

/**
 * @typedef {object} ConnectionEnv what a connection needs of the browser
 * @property {new (url: string) => WebSocket} WebSocket
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random
 * @property {() => number} wall
 */

const STABLE_MS = 10_000;
const OPEN_MS = 10_000;
const RENEW_BEFORE_MS = 60_000;
const TOO_MANY_DELAY_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @param {object} options
 * @param {string} options.url the WebSocket's URL; it never carries the token
 * @param {() => string|Promise<string>} options.getToken asked on each connect and before the token expires
 * @param {string} options.tabId
 * @param {(message: import('./protocol.js').ServerMessage) => void} options.onMessage
 * @param {(status: Status) => void} options.onStatus
 * @param {ConnectionEnv} options.env
 * @returns {Connection}
 */
export function createConnection({ url, getToken, tabId, onMessage, onStatus, env }) {
  /** @type {Status} */
  let status = 'idle';
  /** @type {WebSocket|null} */
  let socket = null;
  let attempt = 0;
  let round = 0; // anything that belongs to an earlier round is ignored
  let notBefore = 0; // the server asked not to be called earlier
  let everOnline = false;
  let refusedToken = '';
  let refusals = 0; // since the server last accepted a token
  let sentToken = '';
  let heartbeatMs = 20_000;
  /** @type {{code: number, message: string}|null} */
  let closed = null;
  /** @type {Record<'retry'|'life'|'renew'|'stable', any>} */
  const timers = { retry: null, life: null, renew: null, stable: null };

  /** @param {keyof timers} name @param {number} ms @param {() => void} run */
  function after(name, ms, run) {
    env.clearTimeout(timers[name]);
    timers[name] = env.setTimeout(() => {
      timers[name] = null;
      run();
    }, Math.min(ms, LONGEST_TIMER_MS));
  }

  function clearTimers() {
    for (const name of /** @type {(keyof timers)[]} */ (Object.keys(timers))) {
      env.clearTimeout(timers[name]);
      timers[name] = null;
    }
  }

  /** @param {Status} next */
  function become(next) {
    if (next === status) return;
    status = next;
    onStatus(next);
  }

  function drop() {
    round += 1;
    clearTimers();
    const old = socket;
    socket = null;
    if (!old) return;
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    try {
      old.close(1000);
    } catch {
      // It was never open; there is nothing to close.
    }
  }

  async function connect() {
    drop();
    const mine = round;
    become(everOnline || attempt > 0 ? 'reconnecting' : 'connecting');
    after('life', OPEN_MS, lost);
    let token;
    try {
      token = await getToken();
    } catch {
      token = null; // The CRM could not be asked; that is a network fault, not a refusal.
    }
    if (mine !== round) return;
    if (token === null) return lost();
    if (typeof token !== 'string' || !token) {
      closed = null; // not the server's refusal: nobody is logged in to the CRM
      return refuse();
    }
    if (token === refusedToken) return refuse();
    sentToken = token;
    /** @type {WebSocket} */
    let opened;
    try {
      opened = new env.WebSocket(url);
    } catch {
      return lost();
    }
    socket = opened;
    opened.onopen = () => opened.send(JSON.stringify({ v: VERSION, type: 'auth', token: sentToken, tab_id: tabId }));
    opened.onmessage = (event) => received(event.data);
    opened.onclose = (event) => closedBy(event);
  }

  /** @param {unknown} frame */
  function received(frame) {
    const message = parse(frame);
    if (!message) return;
    if (message.type === 'hello') {
      heartbeatMs = message.heartbeat_ms;
      everOnline = true;
      refusedToken = '';
      refusals = 0;
      closed = null;
      after('stable', STABLE_MS, () => (attempt = 0));
      if (message.token_expires_at !== null) planRenewal(message.token_expires_at - message.server_time);
      become('online');
    } else if (message.type === 'heartbeat') {
      send({ type: 'heartbeat' });
    }
    if (status === 'online') after('life', heartbeatMs * 2 + 1000, lost);
    onMessage(message);
  }

  /** @param {CloseEvent} event */
  function closedBy(event) {
    closed = { code: event.code, message: clean(event.reason, 200) };
    if (event.code === CLOSE.FORBIDDEN) return refuse();
    if (event.code === CLOSE.UNAUTHENTICATED) {
      // One more try, with a newer token if there is one: a laptop may have slept past the expiry. One only, because
      // many a CRM signs a new token at each request, and those will be refused just as well.
      refusedToken = sentToken;
      refusals += 1;
      if (refusals > 1) return refuse();
      drop();
      return void connect();
    }
    if (event.code === CLOSE.TOO_MANY) notBefore = Math.max(notBefore, env.wall() + TOO_MANY_DELAY_MS);
    lost();
  }

  function refuse() {
    drop();
    become('auth_failed');
  }

  function lost() {
    drop();
    become('reconnecting');
    const delay = Math.max(backoff(attempt, env.random), notBefore - env.wall());
    attempt += 1;
    after('retry', delay, connect);
  }

  /** @param {number} validMs */
  function planRenewal(validMs) {
    const mine = round;
    after('renew', Math.max(validMs - RENEW_BEFORE_MS, validMs / 2, 1000), async () => {
      let token;
      try {
        token = await getToken();
      } catch {
        token = null;
      }
      if (mine !== round) return;
      if (typeof token === 'string' && token && token !== sentToken) {
        sentToken = token;
        send({ type: 'auth', token, tab_id: tabId });
      } else if (validMs > RENEW_BEFORE_MS) {
        planRenewal(RENEW_BEFORE_MS);
      }
    });
  }

  /** @param {{type: string, [field: string]: unknown}} message */
  function send(message) {
    if (!socket || socket.readyState !== 1) return false;
    try {
      socket.send(JSON.stringify({ v: VERSION, ...message }));
      return true;
    } catch {
      return false;
    }
  }

  return {
    start() {
      if (status !== 'idle' && status !== 'auth_failed') return;
      attempt = 0;
      notBefore = 0;
      refusedToken = '';
      refusals = 0;
      void connect();
    },
    stop() {
      drop();
      everOnline = false;
      become('idle');
    },
    send,
    retryNow() {
      if (timers.retry !== null && notBefore <= env.wall()) void connect();
    },
    resync() {
      if (status === 'online' || timers.retry !== null) void connect();
    },
    status: () => status,
    lastClose: () => closed,
  };
}
