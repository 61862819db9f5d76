import assert from 'node:assert/strict';
import test from 'node:test';
import * as book from '../../../notifier/client/core/calls.js';
import { call, ended } from './factories.js';

const of = (...calls) => calls.reduce(book.withCall, book.EMPTY);
const states = (b) => book.ordered(b).map(({ call: c }) => `${c.call_id} ${c.state}`);

test('only a higher rev is news', () => {
  const talking = of(call({ rev: 5, state: 'talking', answered_at: 2000 }));
  assert.equal(book.withCall(talking, call({ rev: 4 })), talking);
  assert.equal(book.withCall(talking, call({ rev: 5 })), talking);
  assert.deepEqual(states(book.withCall(talking, ended({ rev: 6 }))), ['c1 ended']);
});

test('any order and repetition of the states of a call gives the same card', () => {
  const all = [call({ rev: 1 }), call({ rev: 2, state: 'talking', answered_at: 2 }), ended({ rev: 3 })];
  const orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 0, 1, 1, 2, 2], [2, 2, 1, 0]];
  for (const order of orders) assert.deepEqual(states(of(...order.map((i) => all[i]))), ['c1 ended']);
});

test('an end stays, unless it was only assumed', () => {
  const over = of(ended({ rev: 5, reason: 'completed' }));
  assert.equal(book.withCall(over, call({ rev: 9 })), over);
  const assumed = of(ended({ rev: 5, reason: 'unknown' }));
  assert.deepEqual(states(book.withCall(assumed, call({ rev: 9, state: 'talking' }))), ['c1 talking']);
});

test('a snapshot ends the live calls it lacks, but only those of the PBXs it names', () => {
  const before = of(call({ call_id: 'a', pbx: 'main' }), call({ call_id: 'b', pbx: 'other' }));
  const after = book.withSnapshot(before, [], ['main'], 7_000);
  const [b, a] = book.ordered(after);
  assert.deepEqual([b.call.state, a.call.state], ['ringing', 'ended']);
  assert.deepEqual([a.call.end.reason, a.call.ended_at, a.provisional], ['unknown', 7_000, true]);
  // It lives after all: a higher rev replaces the assumption.
  assert.deepEqual(states(book.withCall(after, call({ call_id: 'a', rev: 2 }))), ['b ringing', 'a ringing']);
});

test('a closed call is followed but never shown again', () => {
  let now = book.withDismissed(of(call()), 'c1');
  assert.deepEqual(states(now), []);
  now = book.withCall(now, call({ rev: 2, state: 'talking', answered_at: 2 }));
  assert.deepEqual(states(now), []);
  assert.equal(now.entries.get('c1').call.state, 'talking');
  assert.equal(book.withDismissed(now, 'c1'), now);
});

test('a ring is given up after two minutes, and the deadline is known', () => {
  const ringing = of(call({ ring_started_at: 1_000 }));
  assert.equal(book.nextDeadline(ringing), 121_000);
  assert.equal(book.withTime(ringing, 120_999), ringing);
  const over = book.withTime(ringing, 121_000);
  assert.deepEqual(states(over), ['c1 ended']);
  assert.equal(book.nextDeadline(over), null);
});

test('ended calls close by themselves only if asked to', () => {
  const over = of(ended({ ended_at: 9_000 }));
  assert.equal(book.withTime(over, 1e9), over);
  assert.equal(book.nextDeadline(over, 5_000), 14_000);
  assert.deepEqual(states(book.withTime(over, 14_000, 5_000)), []);
  assert.equal(book.nextDeadline(book.withTime(over, 14_000, 5_000), 5_000), null);
});

test('the oldest ringing call comes first, then talks, then the newest end', () => {
  const all = of(
    ended({ call_id: 'old', ended_at: 10 }), ended({ call_id: 'new', ended_at: 20 }),
    call({ call_id: 'talk', state: 'talking', answered_at: 5 }),
    call({ call_id: 'second', ring_started_at: 8 }), call({ call_id: 'first', ring_started_at: 7 }),
  );
  assert.deepEqual(states(all), ['first ringing', 'second ringing', 'talk talking', 'new ended', 'old ended']);
});

test('a caller is counted by phone calls within the window; tests and other numbers are not his', () => {
  const now = call({ call_id: 'now', first_linkedid: 'n', ring_started_at: 700_000 });
  const others = [
    ended({ call_id: 'a', first_linkedid: 'a', ring_started_at: 600_000 }),
    ended({ call_id: 'a2', first_linkedid: 'a', ring_started_at: 610_000 }),
    ended({ call_id: 'old', first_linkedid: 'o', ring_started_at: 99_999 }),
    ended({ call_id: 'test', first_linkedid: 't', ring_started_at: 650_000, test: true }),
    ended({ call_id: 'later', first_linkedid: 'x', ring_started_at: 800_000 }),
    ended({ call_id: 'other', first_linkedid: 'y', ring_started_at: 650_000, caller: { number: '+74950000000' } }),
  ];
  assert.equal(book.repeats([now, ...others], now, 600_000), 2);
  const hidden = call({ call_id: 'h', caller: { number: null } });
  assert.equal(book.repeats([hidden, hidden], hidden, 600_000), 1);
});

test('memory is bounded: closed cards go first, then the oldest; live calls stay', () => {
  let now = of(call({ call_id: 'live' }));
  now = book.withCall(now, ended({ call_id: 'closed', ended_at: 1e6 }));
  now = book.withDismissed(now, 'closed');
  for (let i = 0; i < 200; i += 1) now = book.withCall(now, ended({ call_id: `e${i}`, ended_at: 1000 + i }));
  assert.equal(now.entries.size, book.MAX_ENDED + 1);
  assert.ok(now.entries.has('live') && now.entries.has('e199') && !now.entries.has('closed') && !now.entries.has('e149'));
  for (let i = 0; i < 1000; i += 1) now = book.withDismissed(now, `d${i}`);
  assert.equal(now.dismissed.size, book.MAX_DISMISSED);
  assert.ok(now.dismissed.has('d999'));
});
