import assert from 'node:assert/strict';
import test from 'node:test';
import { createConnection } from '../../../notifier/client/core/connection.js';

/** A connection whose time and network the test holds in its hands. */
function rig({ tokens = ['t1'], random = 1 } = {}) {
  let now = 0;
  let timers = [];
  const sockets = [];
  const statuses = [];
  const messages = [];
  let asked = 0;
  class Socket {
    constructor(url) { Object.assign(this, { url, readyState: 0, sent: [], closed: null }); sockets.push(this); }
    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) { this.closed = code; this.readyState = 3; }
    open() { this.readyState = 1; this.onopen(); }
    say(message) { this.onmessage({ data: JSON.stringify({ v: 1, server_time: now, ...message }) }); }
    fail(code, reason = '') { this.readyState = 3; this.onclose({ code, reason }); }
  }
  const connection = createConnection({
    url: 'ws://x/ws', tabId: 'tab', onMessage: (m) => messages.push(m), onStatus: (s) => statuses.push(s),
    getToken: async () => { const token = tokens[Math.min(asked, tokens.length - 1)]; asked += 1; if (token instanceof Error) throw token; return token; },
    env: {
      WebSocket: Socket, random: () => random, wall: () => now,
      setTimeout: (run, ms) => { const timer = { run, at: now + ms }; timers.push(timer); return timer; },
      clearTimeout: (timer) => { timers = timers.filter((one) => one !== timer); },
    },
  });
  const settle = async () => { for (let i = 0; i < 8; i += 1) await Promise.resolve(); };
  async function pass(ms) {
    const end = now + ms;
    for (;;) {
      const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      now = Math.max(now, next.at);
      timers = timers.filter((one) => one !== next);
      next.run();
      await settle();
    }
    now = end;
  }
  const HELLO = { type: 'hello', user: { id: 1, name: 'П' }, numbers: [], heartbeat_ms: 20_000, token_expires_at: null };
  async function online(hello = {}) {
    connection.start();
    await settle();
    sockets.at(-1).open();
    sockets.at(-1).say({ ...HELLO, ...hello });
  }
  return { connection, sockets, statuses, messages, pass, settle, online, HELLO, timers: () => timers, now: () => now, asked: () => asked };
}

test('the token goes in the first message, never in the URL', async () => {
  const r = rig();
  await r.online();
  assert.equal(r.sockets[0].url, 'ws://x/ws');
  assert.deepEqual(r.sockets[0].sent[0], { v: 1, type: 'auth', token: 't1', tab_id: 'tab' });
  assert.deepEqual(r.statuses, ['connecting', 'online']);
});

test('a lost connection comes back after a wait that doubles up to 30 s, and starts small again once it held', async () => {
  const r = rig({ random: 1 });
  await r.online();
  await r.pass(11_000);
  r.sockets[0].fail(1006);
  const waits = [];
  for (let i = 0; i < 9; i += 1) {
    const before = r.sockets.length;
    const began = r.now();
    while (r.sockets.length === before) await r.pass(50);
    waits.push(r.now() - began);
    r.sockets.at(-1).fail(1006);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(r.statuses.at(-1), 'reconnecting');
});

test('a connection that holds for less than 10 s does not reset the wait', async () => {
  const r = rig();
  await r.online();
  r.sockets[0].fail(1006);
  await r.pass(500);
  r.sockets[1].open();
  r.sockets[1].say(r.HELLO);
  await r.pass(9_000);
  r.sockets[1].fail(1006);
  await r.pass(999);
  assert.equal(r.sockets.length, 2);
  await r.pass(1);
  assert.equal(r.sockets.length, 3);
});

test('two missed heartbeats are a dead connection', async () => {
  const r = rig({ random: 0 });
  await r.online();
  await r.pass(39_000);
  r.sockets[0].say({ type: 'heartbeat' });
  await r.pass(40_900);
  assert.equal(r.sockets.length, 1);
  await r.pass(200);
  assert.equal(r.sockets.length, 2);
  assert.equal(r.sockets[0].closed, 1000);
});

test('a server that accepts and says nothing is given up', async () => {
  const r = rig({ random: 0 });
  r.connection.start();
  await r.settle();
  r.sockets[0].open();
  await r.pass(10_001);
  assert.equal(r.sockets.length, 2);
});

test('a refused token is not tried again', async () => {
  const r = rig();
  r.connection.start();
  await r.settle();
  r.sockets[0].open();
  r.sockets[0].fail(4401, 'expired');
  await r.settle();
  await r.pass(3_600_000);
  assert.equal(r.sockets.length, 1);
  assert.equal(r.connection.status(), 'auth_failed');
  assert.deepEqual(r.connection.lastClose(), { code: 4401, message: 'expired' });
});

test('if the CRM has a newer token, that one is tried once', async () => {
  const r = rig({ tokens: ['old', 'new', 'new'] });
  r.connection.start();
  await r.settle();
  r.sockets[0].open();
  r.sockets[0].fail(4401);
  await r.settle();
  r.sockets[1].open();
  assert.equal(r.sockets[1].sent[0].token, 'new');
  r.sockets[1].fail(4401);
  await r.settle();
  await r.pass(3_600_000);
  assert.equal(r.sockets.length, 2);
  assert.equal(r.connection.status(), 'auth_failed');
});

test('a CRM that signs a new token at each request is no reason for a loop of refused logins', async () => {
  const r = rig({ tokens: Array.from({ length: 50 }, (_, i) => `signed at ${i}`) });
  r.connection.start();
  for (let i = 0; i < 20; i += 1) {
    await r.settle();
    const last = r.sockets.at(-1);
    if (last.readyState !== 0) continue;
    last.open();
    last.fail(4401, 'bad signature');
  }
  await r.pass(3_600_000);
  assert.equal(r.sockets.length, 2);
  assert.equal(r.connection.status(), 'auth_failed');
});

test('start() tries again after a refusal', async () => {
  const r = rig();
  r.connection.start();
  await r.settle();
  r.sockets[0].fail(4403);
  assert.equal(r.connection.status(), 'auth_failed');
  r.connection.start();
  await r.settle();
  assert.equal(r.sockets.length, 2);
});

test('no token is a refusal, and a CRM that cannot be asked is a fault of the network', async () => {
  const none = rig({ tokens: [''] });
  none.connection.start();
  await none.settle();
  assert.equal(none.connection.status(), 'auth_failed');
  const down = rig({ tokens: [new Error('offline'), 't1'], random: 1 });
  down.connection.start();
  await down.settle();
  assert.equal(down.connection.status(), 'reconnecting');
  await down.pass(500);
  assert.equal(down.sockets.length, 1);
});

test('a token is renewed a minute before it expires, on the same socket', async () => {
  const r = rig({ tokens: ['t1', 't2'] });
  await r.online({ token_expires_at: 600_000 });
  for (let i = 0; i < 28; i += 1) { await r.pass(19_000); r.sockets[0].say({ type: 'heartbeat' }); }
  assert.equal(r.sockets[0].sent.filter((m) => m.type === 'auth').length, 1);
  await r.pass(9_000);
  assert.equal(r.sockets[0].sent.filter((m) => m.type === 'auth').at(-1).token, 't2');
  assert.equal(r.sockets.length, 1);
});

test('a token that is valid for months makes no timer overflow', async () => {
  const r = rig();
  await r.online({ token_expires_at: 90 * 86_400_000 });
  assert.ok(r.timers().every(({ at }) => at - r.now() < 2 ** 31));
  await r.settle();
  assert.equal(r.asked(), 1);
});

test('too many tabs: it waits a minute, and a click on the window does not hurry it', async () => {
  const r = rig({ random: 0 });
  await r.online();
  r.sockets[0].fail(4409);
  r.connection.retryNow();
  await r.pass(59_000);
  assert.equal(r.sockets.length, 1);
  await r.pass(1_100);
  assert.equal(r.sockets.length, 2);
});

test('the network is back: the wait is over', async () => {
  const r = rig();
  await r.online();
  r.sockets[0].fail(1006);
  r.connection.retryNow();
  await r.settle();
  assert.equal(r.sockets.length, 2);
});

test('what an abandoned socket says is not heard', async () => {
  const r = rig();
  await r.online();
  const said = r.sockets[0].onmessage;
  r.connection.resync();
  await r.settle();
  assert.equal(r.sockets[0].onmessage, null);
  assert.ok(said);
  assert.equal(r.sockets.length, 2);
});

test('stop() leaves no timer and no socket behind', async () => {
  const r = rig();
  await r.online({ token_expires_at: 600_000 });
  r.connection.stop();
  assert.deepEqual(r.timers(), []);
  assert.equal(r.sockets[0].closed, 1000);
  assert.equal(r.connection.status(), 'idle');
  assert.equal(r.connection.send({ type: 'dismiss', call_id: 'x' }), false);
});

test('stopped while the token is being fetched, it opens nothing', async () => {
  const r = rig();
  r.connection.start();
  r.connection.stop();
  await r.settle();
  assert.equal(r.sockets.length, 0);
});
