import assert from 'node:assert/strict';
import test from 'node:test';
import { findings } from '../../../notifier/client/core/diagnose.js';
import { translator } from '../../../notifier/client/strings/index.js';
import { PAGE } from '../../../notifier/client/strings/page.js';

const GOOD = {
  connection: 'online', lastClose: null, tokenLeftMs: 60_000, numbers: [{ number: '101', label: null }], sourcesDown: [],
  sound: 'ready', notifications: 'granted', secure: true, clockOffsetMs: 120,
};
const levels = (facts) => Object.fromEntries(findings({ ...GOOD, ...facts }).map(({ id, level }) => [id, level]));

test('where all is well, all is well', () => {
  assert.deepEqual(new Set(Object.values(levels({}))), new Set(['ok']));
});

test('each cause is found', () => {
  assert.equal(levels({ connection: 'reconnecting' }).socket, 'bad');
  assert.equal(levels({ connection: 'auth_failed', tokenLeftMs: null }).token, 'bad');
  assert.equal(levels({ numbers: [] }).numbers, 'bad');
  assert.equal(levels({ numbers: null }).numbers, 'warn');
  assert.equal(levels({ sourcesDown: ['main'] }).source, 'bad');
  assert.equal(levels({ sound: 'blocked' }).sound, 'warn');
  assert.equal(levels({ notifications: 'denied' }).notifications, 'warn');
  assert.equal(levels({ secure: false }).secure, 'warn');
  assert.equal(levels({ clockOffsetMs: -7_200_000 }).clock, 'warn');
});

test('every finding has its words in both languages', () => {
  const connections = ['idle', 'connecting', 'online', 'reconnecting', 'auth_failed'];
  const closes = [null, { code: 4403, message: '' }, { code: 4409, message: '' }, { code: 1006, message: '' }];
  for (const connection of connections) for (const lastClose of closes) for (const numbers of [null, [], GOOD.numbers])
    for (const sound of ['ready', 'blocked', 'muted'])
      for (const notifications of ['granted', 'denied', 'default', 'unsupported', 'insecure'])
        for (const off of [null, 0, 90_000])
          for (const one of findings({ ...GOOD, connection, lastClose, numbers, sound, notifications, clockOffsetMs: off, secure: off === 0, sourcesDown: off ? ['main'] : [], tokenLeftMs: off }))
            for (const lang of ['ru', 'en']) {
              const text = translator(lang, PAGE[lang])(one.text, one.values);
              assert.ok(!text.startsWith('check.') && !/\{\w+\}/.test(text), `${lang}: ${one.text}`);
            }
});
