/**
 * «Почему я не вижу звонки?»: the findings, a button for what one click can mend, and a test call.
 *
 * It is no modal dialog: while it is open, the card of the test call must be seen and closed as at any time.
 */

import { verdict } from '../core/diagnose.js';
import { iconButton, label } from './card.js';
import { h, setText } from './dom.js';
import { icon } from './icons.js';

/**
 * @typedef {import('../core/client.js').CallClient} CallClient
 * @typedef {import('../core/diagnose.js').Finding} Finding
 * @typedef {import('../strings/index.js').Translate} Translate
 */

const MARKS = { ok: 'check', warn: 'warning', bad: 'close' };

/** @type {Record<import('../core/diagnose.js').Fix, (client: CallClient) => void>} */
const FIXES = {
  login: (client) => client.start(),
  sound: (client) => {
    client.setMuted(false);
    client.testSound();
  },
  notifications: (client) => void client.requestNotifications(),
};

/** @param {() => void} close */
export function createCheck(close) {
  /** @type {CallClient|null} */
  let client = null;
  let shown = ''; // what the list says, so that a focused button stays while nothing changes
  let run = 0;
  /** @type {string|null} */
  let outcome = null; // key of what became of the test call

  const title = h('h2', { id: 'check-title', tabindex: '-1' });
  const closeButton = iconButton('close', close);
  const summary = h('p', { class: 'verdict' });
  const list = h('ul', { class: 'checks' });
  const test = h('button', { class: 'button primary', type: 'button', click: () => void runTest() });
  const said = h('span', { class: 'outcome', role: 'status' });
  const element = h(
    'section',
    { class: 'check', part: 'check', role: 'dialog', 'aria-labelledby': 'check-title', hidden: true },
    h('header', {}, title, closeButton), summary, list, h('footer', {}, test, said),
  );
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  });
  /** @type {Translate} */
  let t = (key) => key;

  /** @param {string|null} key */
  function say(key) {
    outcome = key;
    setText(said, key && t(key));
    said.hidden = false; // a live region must be there before it says something
  }

  async function runTest() {
    if (!client) return;
    const mine = (run += 1);
    client.unlockSound();
    say('check.test.waiting');
    const became = await client.testCall();
    if (mine === run) say(`check.test.${became}`);
  }

  /** @param {Finding} finding */
  function item({ id, level, text, values, fix }) {
    const mend = fix && h('button', { class: 'button', type: 'button', click: () => client && FIXES[fix](client) }, t(`check.fix.${fix}`));
    return h('li', { 'data-level': level, 'data-check': id },
      h('span', { class: 'mark', role: 'img', 'aria-label': t(`check.level.${level}`) }, icon(MARKS[level])),
      h('div', {}, h('strong', {}, t(`check.${id}`)), h('span', { dir: 'auto' }, t(text, values))), mend);
  }

  return {
    element,
    /** Show it anew, without the outcome of an earlier test call. */
    open() {
      run += 1;
      say(null);
      element.hidden = false;
    },
    close() {
      run += 1;
      shown = '';
      list.replaceChildren();
      element.hidden = true;
    },
    focus: () => title.focus(),
    /** @param {CallClient} of @param {Translate} translate */
    update(of, translate) {
      if (element.hidden) return;
      client = of;
      t = translate;
      const findings = client.diagnose();
      const says = JSON.stringify([t('check.title'), findings]);
      if (says === shown) return;
      shown = says;
      setText(title, t('check.title'));
      label(closeButton, t('action.close'));
      const level = verdict(findings);
      summary.dataset.level = level;
      setText(summary, t(`check.verdict.${level}`));
      const mending = list.matches(':focus-within');
      list.replaceChildren(...findings.map(item));
      if (mending) title.focus(); // the button that had the focus is gone
      setText(test, t('check.test'));
      say(outcome);
    },
  };
}
