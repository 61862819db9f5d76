import assert from 'node:assert/strict';
import test from 'node:test';
import { duration, isoDuration, minutesAndSeconds, moment, timeOfDay } from '../../../notifier/client/core/time.js';

test('durations read as on a telephone', () => {
  assert.equal(duration(0), '0:00');
  assert.equal(duration(7_999), '0:07');
  assert.equal(duration(754_000), '12:34');
  assert.equal(duration(3_723_000), '1:02:03');
  assert.equal(duration(-5000), '0:00');
  assert.equal(isoDuration(754_900), 'PT754S');
});

test('a wait is told in minutes and seconds', () => {
  assert.deepEqual(minutesAndSeconds(7_400), { minutes: 0, seconds: 7 });
  assert.deepEqual(minutesAndSeconds(125_000), { minutes: 2, seconds: 5 });
});

test('midnight is 00:05, not 24:05', () => {
  assert.equal(timeOfDay(new Date(2026, 10, 3, 0, 5).getTime(), 'ru'), '00:05');
  assert.equal(timeOfDay(new Date(2026, 10, 3, 0, 5).getTime(), 'en'), '00:05');
});

test('another day is named', () => {
  const now = new Date(2026, 10, 3, 9, 0).getTime();
  assert.equal(moment(new Date(2026, 10, 3, 0, 1).getTime(), now, 'ru'), '00:01');
  assert.equal(moment(new Date(2026, 10, 2, 23, 59).getTime(), now, 'ru'), '2 нояб., 23:59');
});
