/** What is to be known beside the calls: sound is locked, the connection is lost, calls were missed. */

import { callerName } from '../core/caller.js';
import { moment } from '../core/time.js';
import { h, setText } from './dom.js';
import { iconButton, label } from './card.js';
import { icon } from './icons.js';

/**
 * @param {{closeMissed: () => void, unlock: () => void}} actions
 */
export function createNotes({ closeMissed, unlock }) {
  const soundText = h('span', {});
  const sound = h('div', { class: 'note warn', hidden: true, click: unlock }, icon('mute'), soundText);
  const stateText = h('span', {});
  const state = h('div', { class: 'note warn', hidden: true }, icon('offline'), stateText);
  const missedText = h('summary', {});
  const missedList = h('ul', {});
  const missedClose = iconButton('close', closeMissed);
  const missed = h('div', { class: 'note missed', hidden: true }, icon('missed'),
    h('details', {}, missedText, missedList), missedClose);
  const element = h('div', { class: 'rows' }, state, sound, missed);

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
      missed.hidden = !now.missed.length;
      setText(missedText, now.missed.length ? t('missed.away', { n: now.missed.length }) : '');
      label(missedClose, t('action.close'));
      missedList.replaceChildren(
        ...now.missed.slice(0, 5).map((call) =>
          h('li', {}, h('bdi', {}, callerName(call, t)), h('span', {}, moment(call.ring_started_at, time, lang)))),
      );
      element.hidden = sound.hidden && state.hidden && missed.hidden;
      return !element.hidden;
    },
  };
}
