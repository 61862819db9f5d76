import assert from 'node:assert/strict';
import test from 'node:test';
import { createClock } from '../../../notifier/client/core/clock.js';

function fake({ wall = 1_000_000, monotonic = 50 } = {}) {
  const time = { wall, monotonic };
  const clock = createClock({ wall: () => time.wall, monotonic: () => time.monotonic });
  const pass = (ms) => { time.wall += ms; time.monotonic += ms; };
  return { time, clock, pass };
}

test('the largest offset counts, because a message can only be late', () => {
  const { clock, time } = fake();
  clock.observe(1_000_000 + 3_600_000 - 800); // 800 ms on the way
  clock.observe(1_000_000 + 3_600_000 - 20);
  clock.observe(1_000_000 + 3_600_000 - 300);
  assert.equal(clock.now(), time.wall + 3_600_000 - 20);
});

test('an offset that was right long ago does not stay for ever', () => {
  const { clock, pass } = fake();
  clock.observe(2_000_000);
  for (let i = 0; i < 20; i += 1) { pass(1000); clock.observe(1_001_000 + i * 1000); }
  assert.equal(clock.now(), 1_020_000);
});

test('elapsed is never negative', () => {
  const { clock } = fake();
  assert.equal(clock.elapsed(1_000_500), 0);
});

test('sleep and a clock that is set are noticed once; the passing of time is not', () => {
  const { clock, time, pass } = fake();
  pass(3_600_000);
  assert.equal(clock.jumped(), false);
  time.wall += 60_000; // asleep: only the wall clock went on
  assert.equal(clock.jumped(), true);
  assert.equal(clock.jumped(), false);
  time.wall -= 10_000;
  assert.equal(clock.jumped(), true);
  time.wall += 1500; // a clock that is being slewed
  assert.equal(clock.jumped(), false);
});

test('after a jump the old offset counts no longer', () => {
  const { clock, time } = fake();
  clock.observe(1_000_000);
  time.wall += 7_200_000; // somebody set the clock
  clock.jumped();
  assert.equal(clock.offset(), null);
  clock.observe(1_000_100);
  assert.equal(clock.now(), 1_000_100);
});
