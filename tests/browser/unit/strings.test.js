import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import en from '../../../notifier/client/strings/en.js';
import ru from '../../../notifier/client/strings/ru.js';
import { PAGE } from '../../../notifier/client/strings/page.js';
import { pickLanguage, translator } from '../../../notifier/client/strings/index.js';

const forms = (text) => (typeof text === 'string' ? [text] : Object.values(text));
const holes = (text) => [...new Set(forms(text).flatMap((one) => one.match(/\{\w+\}/g) ?? []))].sort();

test('both languages say everything, with the same values', () => {
  for (const [a, b] of [[ru, en], [PAGE.ru, PAGE.en]]) {
    assert.deepEqual(Object.keys(a).sort(), Object.keys(b).sort());
    for (const key of Object.keys(a)) assert.deepEqual(holes(a[key]), holes(b[key]), key);
  }
});

test('nothing is translated that nobody says', () => {
  const folder = new URL('../../../notifier/client/', import.meta.url);
  const sources = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.js') && !name.startsWith('strings/'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
  // A key is said whole, or as a template of which the beginning is there: t(`message.${state}`).
  const said = (key) => sources.includes(`'${key}'`) || key.split('.').some((_, i, parts) => i > 0 && sources.includes(`\`${parts.slice(0, i).join('.')}.\${`));
  // The keys of findings are put together in diagnose.js.
  const keys = [...Object.keys(ru), ...Object.keys(PAGE.ru)].filter((key) => !/^check\.[a-z]+\.[a-z_]+$/.test(key));
  assert.deepEqual(keys.filter((key) => !said(key)), []);
});

test('plurals have all forms of their language', () => {
  for (const [lang, texts] of [['ru', { ...ru, ...PAGE.ru }], ['en', { ...en, ...PAGE.en }]]) {
    const wanted = new Intl.PluralRules(lang).resolvedOptions().pluralCategories;
    for (const [key, text] of Object.entries(texts)) {
      if (typeof text !== 'string') assert.deepEqual(Object.keys(text).sort(), [...wanted].sort(), key);
    }
  }
});

test('Russian plurals are right', () => {
  const t = translator('ru');
  const missed = (n) => t('missed.away', { n });
  assert.equal(missed(1), 'Пока вас не было: 1 пропущенный звонок');
  assert.equal(missed(2), 'Пока вас не было: 2 пропущенных звонка');
  assert.equal(missed(5), 'Пока вас не было: 5 пропущенных звонков');
  assert.equal(missed(11), 'Пока вас не было: 11 пропущенных звонков');
  assert.equal(missed(21), 'Пока вас не было: 21 пропущенный звонок');
});

test('the texts of the brief are there to the letter', () => {
  assert.equal(ru['message.ringing'], 'Необходимо взять трубку');
  assert.equal(ru['message.talking'], 'Разговор активен');
  assert.equal(ru['message.ended'], 'Звонок завершен');
  assert.equal(ru.unknown, 'Неизвестный');
});

test('a value is put in as it is, even if it looks like a pattern', () => {
  const t = translator('ru');
  assert.equal(t('answered_by', { name: '$& {n} $1' }), 'Ответил(а): $& {n} $1');
});

test('the host can replace texts; a missing one shows its key', () => {
  const t = translator('ru', { 'message.ringing': 'Возьмите трубку' });
  assert.equal(t('message.ringing'), 'Возьмите трубку');
  assert.equal(t('no.such'), 'no.such');
});

test('the first language that we speak wins, else it is Russian, whatever the browser speaks', () => {
  assert.equal(pickLanguage('en-GB', 'ru'), 'en');
  assert.equal(pickLanguage(null, 'en-US'), 'en');
  assert.equal(pickLanguage('de', 'fr'), 'ru');
  assert.equal(pickLanguage(undefined), 'ru');
});
