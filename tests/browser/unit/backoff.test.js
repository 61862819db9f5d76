import assert from 'node:assert/strict';
import test from 'node:test';
import { backoff, BASE_MS, CAP_MS } from '../../../notifier/client/core/backoff.js';

test('the wait is spread over all of a window that doubles up to a cap', () => {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const window = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
    assert.equal(backoff(attempt, () => 0), 0);
    assert.equal(backoff(attempt, () => 0.5), Math.round(window / 2));
    assert.ok(backoff(attempt, () => 0.999999) <= window);
  }
});

test('ten thousand browsers do not come back together', () => {
  const waits = Array.from({ length: 10_000 }, () => backoff(3, Math.random));
  const slots = new Map();
  for (const wait of waits) slots.set(Math.floor(wait / 400), (slots.get(Math.floor(wait / 400)) ?? 0) + 1);
  assert.ok(Math.max(...slots.values()) < 1500, 'no tenth of the window has much more than its share');
});
