/** What is to be known beside the calls: sound is locked, the connection is lost, calls were missed. */

import { callerNumber } from '../core/caller.js';
import { moment } from '../core/time.js';
import { h, setText } from './dom.js';
import { iconButton, label } from './card.js';
import { icon } from './icons.js';

/**
 * @typedef {import('../core/protocol.js').Call} Call
 * @typedef {import('../strings/index.js').Translate} Translate
 */

/**
 * @param {{closeMissed: () => void, unlock: () => void, check: () => void}} actions
 */
export function createNotes({ closeMissed, unlock, check }) {
  const soundText = h('span', {});
  const sound = h('div', { class: 'note warn', hidden: true, click: unlock }, icon('mute'), soundText);
  const stateText = h('span', {});
  const why = iconButton('help', check);
  const state = h('div', { class: 'note warn', hidden: true }, icon('offline'), stateText, why);
  const missedText = h('summary', {});
  const missedList = h('ul', {});
  let listed = '';
  const missedClose = iconButton('close', closeMissed);
  const missed = h('div', { class: 'note missed', hidden: true }, icon('missed'),
    h('details', {}, missedText, missedList), missedClose);
  const element = h('div', { class: 'rows notes' }, state, sound, missed);

  return {
    element,
    /** @param {import('./card.js').Context} context @returns {boolean} whether anything is said */
    update({ t, state: now, lang, now: time }) {
      const ringing = now.calls.some((call) => call.state === 'ringing');
      setText(soundText, t('sound.hint'));
      // While it rings the card says it itself, with a button.
      sound.hidden = now.sound !== 'blocked' || ringing || now.connection === 'idle';
      const trouble = now.connection === 'auth_failed' ? t('auth_failed')
        : now.lost ? t('lost.hint')
          : now.sourcesDown.length ? t('source.down', { pbx: now.sourcesDown.join(', ') }) : '';
      setText(stateText, trouble);
      state.hidden = !trouble;
      label(why, t('check.title'));
      missed.hidden = !now.missed.length;
      setText(missedText, now.missed.length ? t('missed.away', { n: now.missed.length }) : '');
      label(missedClose, t('action.close'));
      const shown = now.missed.slice(0, 5).map((call) => ({ call, when: moment(call.ring_started_at, time, lang) }));
      const says = JSON.stringify([t('restricted'), shown]);
      if (says !== listed) { // a link that has the focus, or is pressed, stays while nothing changes
        listed = says;
        missedList.replaceChildren(...shown.map(({ call, when }) => h('li', {}, missedCaller(call, t), h('span', {}, when))));
      }
      element.hidden = sound.hidden && state.hidden && missed.hidden;
      return !element.hidden;
    },
  };
}

/** His name or number, and the way to his card in the CRM. @param {Call} call @param {Translate} t */
function missedCaller(call, t) {
  const name = h('bdi', {}, call.caller.name ?? callerNumber(call, t));
  if (!call.caller.url) return name;
  return h('a', { href: call.caller.url, target: '_blank', rel: 'noopener noreferrer' }, name);
}
