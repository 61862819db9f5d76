import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, parseCall } from '../../../notifier/client/core/protocol.js';
import { wireCall } from './factories.js';

const frame = (message) => JSON.stringify({ v: 1, server_time: 5, ...message });
const HOSTILE = '\u202e<script>alert(1)</script>\u0000';

test('every text of a call is cleaned', () => {
  const call = parseCall(wireCall({
    first_linkedid: HOSTILE, pbx: HOSTILE,
    caller: { number: HOSTILE, display: HOSTILE, name: HOSTILE, company: HOSTILE },
    line: { number: HOSTILE, label: HOSTILE, queue: HOSTILE },
    state: 'ended', end: { reason: 'missed', cause: 16, answered_by: { user_id: 2, name: HOSTILE } },
  }));
  const texts = [call.first_linkedid, call.pbx, call.caller.number, call.caller.display, call.caller.name, call.caller.company,
    call.line.number, call.line.label, call.line.queue, call.end.answered_by.name];
  for (const text of texts) assert.equal(text, '<script>alert(1)</script>');
});

test('nonsense in any field of a call is refused or replaced, never an exception', () => {
  const junk = [null, undefined, true, -1, 1.5, 1e300, NaN, '', 'x', [], {}, [[]], '9'.repeat(10_000)];
  for (const field of Object.keys(wireCall())) {
    for (const value of junk) {
      const call = parseCall({ ...wireCall(), [field]: value });
      if (call === null) continue;
      assert.ok(['ringing', 'talking', 'ended'].includes(call.state));
      assert.ok(Number.isSafeInteger(call.rev) && Number.isSafeInteger(call.ring_started_at));
      assert.doesNotThrow(() => new Date(call.ring_started_at).toISOString());
      assert.ok(call.caller && call.line);
    }
  }
});

test('a call without an id, a rev, a state or a beginning is no call', () => {
  for (const field of ['call_id', 'rev', 'state', 'ring_started_at']) assert.equal(parseCall({ ...wireCall(), [field]: null }), null);
});

test('one bad call in a snapshot does not cost the others', () => {
  const message = parse(frame({ type: 'snapshot', calls: [null, wireCall(), { rev: 1 }, 7], pbxs: ['main', 5], dismissed: ['x', null] }));
  assert.deepEqual(message.calls.map((call) => call.call_id), ['c1']);
  assert.deepEqual(message.pbxs, ['main']);
  assert.deepEqual(message.dismissed, ['x']);
});

test('frames that this client cannot use are skipped', () => {
  const bad = ['', 'null', '[]', '{', '"x"', '{"v":2,"type":"heartbeat"}', frame({ type: 'of_the_future' }), frame({ type: 'call', call: {} }),
    frame({ type: 'dismissed' }), new ArrayBuffer(4), undefined];
  for (const one of bad) assert.equal(parse(one), null);
});

test('a link of the CRM is only kept if it is http(s)', () => {
  assert.equal(parseCall(wireCall({ caller: { url: 'javascript:alert(1)' } })).caller.url, null);
  assert.equal(parseCall(wireCall({ caller: { url: 'https://crm.example.ru/5' } })).caller.url, 'https://crm.example.ru/5');
});

test('an unknown reason or kind is unknown, not an error', () => {
  const call = parseCall(wireCall({ state: 'ended', end: { reason: 'eaten_by_a_dog' }, caller: { kind: 'alien' } }));
  assert.equal(call.end.reason, 'unknown');
  assert.equal(call.caller.kind, 'unknown');
});

test('a heartbeat interval is kept within reason', () => {
  const hello = (heartbeat_ms) => parse(frame({ type: 'hello', user: { id: 1, name: 'П' }, numbers: [], heartbeat_ms }));
  assert.equal(hello(1).heartbeat_ms, 1000);
  assert.equal(hello(1e12).heartbeat_ms, 300_000);
  assert.equal(hello('x').heartbeat_ms, 20_000);
});

test('numbers that the CRM cannot be asked for stay unknown', () => {
  const hello = (numbers) => parse(frame({ type: 'hello', user: { id: 1, name: null }, numbers }));
  assert.equal(hello(null).numbers, null);
  assert.deepEqual(hello([{ number: '101', label: null }]).numbers, [{ number: '101', label: null }]);
});
