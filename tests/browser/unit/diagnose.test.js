import assert from 'node:assert/strict';
import test from 'node:test';
import { findings, verdict } from '../../../notifier/client/core/diagnose.js';
import { translator } from '../../../notifier/client/strings/index.js';

const GOOD = {
  connection: 'online', lastClose: null, tokenLeftMs: 60_000, numbers: [{ number: '101', label: null }], sourcesDown: [],
  sound: 'ready', soundWanted: true, notifications: 'granted', notificationsWanted: true, secure: true, clockOffsetMs: 120,
};
const levels = (facts) => Object.fromEntries(findings({ ...GOOD, ...facts }).map(({ id, level }) => [id, level]));

test('where all is well, all is well', () => {
  assert.deepEqual(new Set(Object.values(levels({}))), new Set(['ok']));
  assert.equal(verdict(findings(GOOD)), 'ok');
});

test('the verdict is the worst finding', () => {
  assert.equal(verdict(findings({ ...GOOD, sound: 'blocked' })), 'warn');
  assert.equal(verdict(findings({ ...GOOD, sound: 'blocked', numbers: [] })), 'bad');
});

test('what one click can mend is offered, and nothing else', () => {
  const fixes = (facts) => findings({ ...GOOD, ...facts }).filter(({ fix }) => fix).map(({ id, fix }) => `${id}: ${fix}`);
  assert.deepEqual(fixes({}), []);
  assert.deepEqual(fixes({ connection: 'auth_failed', lastClose: { code: 4401, message: '' } }), ['token: login']);
  assert.deepEqual(fixes({ sound: 'blocked' }), ['sound: sound']);
  assert.deepEqual(fixes({ sound: 'muted' }), ['sound: sound']);
  assert.deepEqual(fixes({ sound: 'muted', soundWanted: false }), []);
  assert.deepEqual(fixes({ notifications: 'default' }), ['notifications: notifications']);
  assert.deepEqual(fixes({ notifications: 'denied' }), []);
});

test('a page that wants no notifications is not told about them', () => {
  assert.equal(levels({ notificationsWanted: false, notifications: 'denied' }).notifications, undefined);
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
    for (const [sound, soundWanted] of [['ready', true], ['blocked', true], ['muted', true], ['muted', false]])
      for (const notifications of ['granted', 'denied', 'default', 'unsupported', 'insecure'])
        for (const off of [null, 0, 90_000])
          for (const one of findings({ ...GOOD, connection, lastClose, numbers, sound, soundWanted, notifications, clockOffsetMs: off, secure: off === 0, sourcesDown: off ? ['main'] : [], tokenLeftMs: off }))
            for (const lang of ['ru', 'en']) {
              const t = translator(lang);
              for (const text of [t(one.text, one.values), t(`check.${one.id}`), t(`check.level.${one.level}`), one.fix ? t(`check.fix.${one.fix}`) : 'x'])
                assert.ok(!text.startsWith('check.') && !/\{\w+\}/.test(text), `${lang}: ${one.text}`);
            }
});
