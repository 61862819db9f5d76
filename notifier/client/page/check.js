/** «Почему я не вижу звонки?»: the findings, and a test call that goes the whole way from the server. */

import { h, setText } from '../element/dom.js';
import { icon } from '../element/icons.js';
import { iconLabel } from './labels.js';

const TEST_CALL_MS = 5000;
const MARKS = { ok: 'check', warn: 'warning', bad: 'close' };

/**
 * @param {import('../core/client.js').CallClient} client
 * @param {import('./preferences.js').Preferences} prefs
 * @param {(open: boolean) => void} onToggle
 */
export function createCheckDialog(client, prefs, onToggle) {
  const { t } = prefs;
  const list = h('ul', { class: 'checks' });
  const outcome = h('span', { class: 'outcomeline', role: 'status' });
  const test = h('button', { class: 'button primary', type: 'button', click: () => runTest() }, t('check.test'));
  const close = h('button', { class: 'square', type: 'button', click: () => element.close() }, icon('close'));
  iconLabel(close, t('action.close'));
  const element = h('dialog', { 'aria-labelledby': 'check-title' },
    h('header', {}, h('h2', { id: 'check-title' }, t('check.title')), close),
    list, h('footer', {}, test, outcome));
  element.addEventListener('close', () => onToggle(false));
  /** @type {any} */
  let waiting = null;

  function runTest() {
    client.unlockSound();
    clearTimeout(waiting);
    if (!client.testCall()) return setText(outcome, t('check.test.offline'));
    setText(outcome, t('check.test.waiting'));
    waiting = setTimeout(() => {
      waiting = null;
      setText(outcome, t('check.test.lost'));
    }, TEST_CALL_MS);
    return undefined;
  }

  function render() {
    list.replaceChildren(...client.diagnose().map(({ id, level, text, values }) =>
      h('li', { 'data-level': level, 'data-check': id },
        h('span', { class: 'mark', role: 'img', 'aria-label': t(`check.level.${level}`) }, icon(MARKS[level])),
        h('div', {}, h('strong', {}, t(`check.${id}`)), h('span', { class: 'small' }, t(text, values))))));
  }

  return {
    element,
    open() {
      render();
      setText(outcome, '');
      element.showModal();
      onToggle(true);
    },
    update() {
      if (!element.open) return;
      render();
      if (waiting !== null && client.getState().calls.some((call) => call.test && call.state === 'ringing')) {
        clearTimeout(waiting);
        waiting = null;
        setText(outcome, t('check.test.arrived'));
      }
    },
  };
}
