import assert from 'node:assert/strict';
import test from 'node:test';
import { cardView, look, statusKey, timerView } from '../../../notifier/client/core/cardview.js';
import { translator } from '../../../notifier/client/strings/index.js';
import { call, ended } from './factories.js';

const t = translator('ru');
const shown = (one) => ({ ...one, muted: false, provisional: false, repeats: 1 });
const view = (one) => cardView(shown(one), t, 'ru');

test('the three states look and read as the brief says', () => {
  assert.deepEqual([view(call()).look, view(call()).message], ['ringing', 'Необходимо взять трубку']);
  const talking = call({ state: 'talking', answered_at: 2000 });
  assert.deepEqual([view(talking).look, view(talking).message], ['talking', 'Разговор активен']);
  assert.deepEqual([view(ended()).look, view(ended()).message], ['ended', 'Звонок завершен']);
  assert.equal(look(ended({ reason: 'missed' })), 'missed');
});

test('the timer is a difference of server times', () => {
  assert.equal(timerView(call({ ring_started_at: 1_000 }), 8_400, t).text, '0:07');
  assert.equal(timerView(call({ ring_started_at: 1_000 }), 8_400, t).spoken, 'ожидание 0:07');
  assert.equal(timerView(call({ state: 'talking', answered_at: 2_000 }), 756_000, t).text, '12:34');
  assert.equal(timerView(ended({ answered_at: 1_000, ended_at: 762_000 }), 1e9, t).text, '12:41');
});

test('a call that was not answered has words where the length would be', () => {
  const right = (reason) => timerView(ended({ reason }), 0, t);
  assert.deepEqual(right('missed'), { text: 'не отвечен', caption: '', spoken: 'не отвечен', iso: null });
  assert.equal(right('answered_elsewhere').text, 'у коллеги');
  assert.equal(right('unknown').text, 'итог неизвестен');
});

test('every reason has a status and a word in both languages', () => {
  for (const lang of ['ru', 'en']) {
    const say = translator(lang);
    for (const reason of ['completed', 'missed', 'busy', 'rejected', 'answered_elsewhere', 'transferred', 'failed', 'unknown']) {
      const one = ended({ reason });
      assert.ok(!say(statusKey(one)).includes('.'), `${lang} ${reason}`);
      assert.ok(!timerView(one, 0, say).text.includes('right.'), `${lang} ${reason}`);
      assert.ok(!say(`reason.${reason}`).includes('.'), `${lang} ${reason}`);
    }
  }
});

test('an ended call tells when it was, how long it rang, and who answered', () => {
  const one = ended({
    reason: 'answered_elsewhere', ring_started_at: Date.UTC(2026, 10, 3, 10, 5), ended_at: Date.UTC(2026, 10, 3, 10, 5, 7),
    answered_by: { user_id: 2, name: 'Смирнова Ольга' },
  });
  assert.match(view(one).extra, /^\d\d:05\u00a0· ожидание 7 с\u00a0· Ответил\(а\): Смирнова Ольга$/);
});

test('an assumed end claims no waiting time', () => {
  const one = { ...ended({ reason: 'unknown', ended_at: 60_000 }), muted: false, provisional: true, repeats: 1 };
  assert.ok(!cardView(one, t, 'ru').extra.includes('ожидание'));
});

test('an unknown caller is Неизвестный, and what the network says is a claim', () => {
  const one = view(call({ caller: { name: null, kind: 'unknown', display: 'Сбербанк', company: null } }));
  assert.equal(one.name, 'Неизвестный');
  assert.equal(one.claim, 'Имя из сети, не проверено: Сбербанк');
  assert.equal(one.initials, '');
  assert.equal(one.known, false);
  const same = view(call({ caller: { name: null, kind: 'unknown', display: '+79271390907' } }));
  assert.equal(same.claim, '', 'a number is no name');
});

test('a company as long as a sentence leaves room for the number that rings', () => {
  const one = view(call({ caller: { company: 'Общество '.repeat(14) } }));
  assert.match(one.details, /^Общество .{50,52}…\u00a0· на номер 101 \(рабочий\)$/);
});

test('queue, label and repeats are told', () => {
  const one = cardView({ ...shown(call({ line: { queue: 'Продажи' } })), repeats: 3 }, t, 'ru');
  assert.equal(one.details, 'ООО «Ромашка»\u00a0· на номер 101 (рабочий)\u00a0· через «Продажи»');
  assert.equal(one.repeat, '3-й звонок за 10 минут');
});
