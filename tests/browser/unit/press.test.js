import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { createPress } from '../../../notifier/client/core/press.js';

/** A window that can be clicked, with a clock of its own. */
function play() {
  const timers = mock.timers;
  timers.reset();
  timers.enable({ apis: ['setTimeout'] });
  const window = Object.assign(new EventTarget(), { setTimeout, clearTimeout });
  const press = createPress(/** @type {any} */ (window));
  /** @type {string[]} */
  const done = [];
  const run = () => void done.push('run');
  return {
    done, press, timers,
    later: () => press.after(run),
    /** @param {string} type @param {object} [fields] */
    fire: (type, fields = {}) => window.dispatchEvent(Object.assign(new Event(type), { button: 0 }, fields)),
    field: (/** @type {Event} */ event) => window.dispatchEvent(event),
  };
}

test('without a press everything is at once', () => {
  const { later, done } = play();
  later();
  assert.deepEqual(done, ['run']);
});

test('what comes during a press waits for the click, and is done once', () => {
  const { later, fire, done, timers } = play();
  fire('pointerdown');
  later();
  later();
  timers.tick(1000);
  fire('pointerup', { pointerType: 'mouse' });
  assert.deepEqual(done, []);
  fire('click');
  assert.deepEqual(done, [], 'the click is to meet what it was meant for');
  timers.tick(0);
  assert.deepEqual(done, ['run']);
});

test('what the click itself does is seen at once', () => {
  const { later, fire, done } = play();
  fire('pointerdown');
  fire('pointerup', { pointerType: 'mouse' });
  fire('click');
  later();
  assert.deepEqual(done, ['run']);
});

test('a tap waits for the click that comes in a task of its own, and not for ever', () => {
  const { later, fire, done, timers } = play();
  fire('pointerdown', { pointerType: 'touch' });
  later();
  fire('pointerup', { pointerType: 'touch' });
  timers.tick(399);
  assert.deepEqual(done, []);
  timers.tick(1);
  assert.deepEqual(done, ['run']);
});

for (const type of ['pointercancel', 'contextmenu', 'dragend', 'blur']) {
  test(`a press is over with ${type}`, () => {
    const { later, fire, done, timers } = play();
    fire('pointerdown');
    later();
    fire(type);
    timers.tick(0);
    assert.deepEqual(done, ['run']);
  });
}

test("a field's blur is no end: the press itself takes its focus", () => {
  const { later, fire, field, done, timers } = play();
  fire('pointerdown');
  later();
  const blur = new Event('blur');
  Object.defineProperty(blur, 'target', { value: {} });
  field(blur);
  timers.tick(100);
  assert.deepEqual(done, []);
});

test('a release that is never told ends after three seconds', () => {
  const { later, fire, done, timers } = play();
  fire('pointerdown');
  later();
  timers.tick(2999);
  assert.deepEqual(done, []);
  timers.tick(1);
  assert.deepEqual(done, ['run']);
});

test('the space bar presses, its repeats and other keys and mouse buttons do not', () => {
  const { later, fire, done, timers } = play();
  fire('keydown', { key: 'a' });
  fire('pointerdown', { button: 2 });
  later();
  assert.deepEqual(done, ['run']);
  fire('keydown', { key: ' ' });
  later();
  timers.tick(2000);
  fire('keydown', { key: ' ', repeat: true });
  timers.tick(999);
  assert.deepEqual(done, ['run']);
  timers.tick(1);
  assert.deepEqual(done, ['run', 'run']);
});

test('when it is closed, what waits is dropped', () => {
  const { later, fire, press, done, timers } = play();
  fire('pointerdown');
  later();
  press.close();
  timers.tick(5000);
  assert.deepEqual(done, []);
  fire('pointerdown');
  later();
  assert.deepEqual(done, ['run'], 'and nothing is held any more');
});
