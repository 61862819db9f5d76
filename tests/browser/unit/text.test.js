import assert from 'node:assert/strict';
import test from 'node:test';
import { clean, groupNumber, initials, MAX_TEXT, safeUrl } from '../../../notifier/client/core/text.js';

test('what can reorder, hide or break text is removed', () => {
  assert.equal(clean('a\u202eb\u2066c\u200bd\ufeffe\u0000f\u009bg\u{e0041}h'), 'abcdefgh');
  assert.equal(clean('Иван\u2028Петров\r\n\tИванович'), 'Иван Петров Иванович');
  assert.equal(clean('\u115f\u3164 пусто \uffa0'), 'пусто');
  assert.equal(clean('a\ud800b'), 'ab');
});

test('markup is left alone, because it is only ever shown as text', () => {
  assert.equal(clean('<img src=x onerror=alert(1)>'), '<img src=x onerror=alert(1)>');
});

test('stacked marks do not climb over other lines, and combined letters become one', () => {
  assert.equal(clean(`Z${'\u0300\u0323\u0316'.repeat(40)}`).normalize('NFD').length, 4);
  assert.equal(clean('и\u0306'), 'й');
});

test('long text is cut at whole characters', () => {
  const cut = clean('😀'.repeat(500));
  assert.equal(Array.from(cut).length, MAX_TEXT);
  assert.ok(cut.endsWith('😀…'));
  assert.equal(clean('x'.repeat(MAX_TEXT)).length, MAX_TEXT);
});

test('a megabyte of marks costs no more than a line', () => {
  const began = performance.now();
  clean('\u0300'.repeat(1_000_000));
  assert.ok(performance.now() - began < 200);
});

test('what is not text is nothing', () => {
  for (const value of [null, undefined, 12, {}, [], true]) assert.equal(clean(value), '');
});

test('only absolute http(s) URLs are links', () => {
  assert.equal(safeUrl('https://crm.example.ru/dealer/5'), 'https://crm.example.ru/dealer/5');
  const hostile = ['javascript:alert(1)', ' JaVaScRiPt:alert(1)', 'data:text/html,x', '//evil.example', '/dealer/5', 'https://', '', null, 5];
  for (const value of hostile) assert.equal(safeUrl(value), null, String(value));
});

test('initials are the first letters of the first two words', () => {
  assert.equal(initials('Иванов Иван Петрович'), 'ИИ');
  assert.equal(initials('ООО «Ромашка»'), 'ОР');
  assert.equal(initials('ольга'), 'О');
  assert.equal(initials('+7 927'), '');
});

test('Russian numbers are grouped, others stay', () => {
  assert.equal(groupNumber('+79271390907'), '+7\u00a0927\u00a0139\u201109\u201107');
  assert.equal(groupNumber('89271390907'), '8\u00a0927\u00a0139\u201109\u201107');
  for (const number of ['101', '+4930123456', '*98', '']) assert.equal(groupNumber(number), number);
});
