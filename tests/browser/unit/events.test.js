import assert from 'node:assert/strict';
import test from 'node:test';
import { announcements, events } from '../../../notifier/client/element/events.js';
import { call, ended } from './factories.js';

const state = (...calls) => ({ connection: 'online', sound: 'ready', calls });
const types = (before, after) => events(before, after).map(({ type }) => type);
const keys = (before, after) => announcements(before, after).map(({ key }) => key);

test('each change of a call is an event, and a call that is gone was dismissed', () => {
  assert.deepEqual(types(state(), state(call())), ['call-ringing']);
  assert.deepEqual(types(state(call()), state(call({ rev: 2 }))), [], 'a new rev of the same state is no event');
  assert.deepEqual(types(state(call()), state(ended())), ['call-ended']);
  assert.deepEqual(types(state(call({ call_id: 'a' }), call({ call_id: 'b' })), state(call({ call_id: 'a' }))), ['call-dismissed']);
});

test('connection and sound are told when they change, and once at the beginning', () => {
  assert.deepEqual(types(null, state()), ['connection-change', 'sound-change']);
  const [one, ...others] = events(state(), { ...state(), sound: 'muted' });
  assert.deepEqual([one, others], [{ type: 'sound-change', detail: { state: 'muted' } }, []]);
});

test('two calls that begin at once are both spoken of', () => {
  assert.deepEqual(keys(state(), state(call({ call_id: 'a' }), call({ call_id: 'b' }))), ['announce.ringing', 'announce.ringing']);
});

test('an end is spoken of only to who heard its beginning', () => {
  assert.deepEqual(keys(null, state(ended())), []);
  assert.deepEqual(keys(state(call()), state(ended({ reason: 'missed' }))), ['announce.missed']);
});
