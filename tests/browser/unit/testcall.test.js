import assert from 'node:assert/strict';
import test from 'node:test';
import { createTestCall } from '../../../notifier/client/core/testcall.js';
import { call } from './factories.js';

function rig({ online = true } = {}) {
  const calls = [];
  let due = null;
  let asked = 0;
  const window = { setTimeout: (run) => (due = run), clearTimeout: () => (due = null) };
  const one = createTestCall({ ask: () => { asked += 1; return online; }, calls: () => calls, window });
  return { one, calls, expire: () => due(), waits: () => due !== null, asked: () => asked };
}

test('it arrives when a test call comes that was not there before', async () => {
  const r = rig();
  r.calls.push(call({ call_id: 'earlier', test: true }));
  const outcome = r.one.start();
  r.one.look();
  assert.ok(r.waits(), 'an earlier test call, or a real one, is not it');
  r.calls.push(call({ call_id: 'real' }));
  r.one.look();
  assert.ok(r.waits());
  r.calls.push(call({ call_id: 'new', test: true }));
  r.one.look();
  assert.equal(await outcome, 'arrived');
  assert.ok(!r.waits());
});

test('it is lost, refused or impossible, and says which', async () => {
  const lost = rig();
  const outcome = lost.one.start();
  lost.expire();
  assert.equal(await outcome, 'lost');
  const running = rig();
  const refused = running.one.start();
  running.one.refused();
  assert.equal(await refused, 'running');
  assert.equal(await rig({ online: false }).one.start(), 'offline');
});

test('asked twice, the server is asked once', () => {
  const r = rig();
  assert.equal(r.one.start(), r.one.start());
  assert.equal(r.asked(), 1);
});
