/** The main card: built once for a call, then only changed where the call changed. */

import { cardView, timerView } from '../core/cardview.js';
import { moment } from '../core/time.js';
import { callerNumber } from '../core/caller.js';
import { h, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';

/** Nobody sees so fast that another call has taken the card: such a click was meant for the one before. */
const TOO_SOON_MS = 300;

/**
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../strings/index.js').Translate} Translate
 *
 * @typedef {object} Actions what the card's buttons do
 * @property {(call: ShownCall) => void} dismiss
 * @property {(call: ShownCall) => boolean} open false: the host opens the CRM's card itself
 * @property {(call: ShownCall) => void} mute
 * @property {() => void} unlock
 * @property {() => void} minimise
 *
 * @typedef {object} Context
 * @property {Translate} t
 * @property {string} lang
 * @property {number} now server time
 * @property {ClientState} state
 * @property {boolean} minimised
 * @property {import('./past.js').Past|null} past earlier calls with this number; null if there can be none
 */

/**
 * @param {Actions} actions
 */
export function createCard(actions) {
  /** @type {ShownCall|null} */
  let shown = null;
  let copied = false;
  /** When another call took the card, and whether because the user closed the one before. */
  let taken = { at: -Infinity, byUser: false };
  let closed = '';
  /** The call whose card says something about sound; it keeps that line while it rings. */
  let hinted = '';
  /** @type {Translate} */
  let say = (key) => key;
  const act = (/** @type {(call: ShownCall) => void} */ run) => () => shown && run(shown);
  const dismiss = act((call) => {
    closed = call.call_id;
    actions.dismiss(call);
  });

  const status = h('span', { class: 'status', part: 'status' });
  const test = h('span', { class: 'test', hidden: true });
  const mute = iconButton('volume', act(actions.mute));
  const minimise = iconButton('down', () => actions.minimise());
  const close = iconButton('close', dismiss);
  const avatar = h('div', { class: 'avatar', 'aria-hidden': 'true' });
  const name = h('bdi', {});
  const number = h('bdi', { class: 'number', part: 'number' });
  const copy = iconButton('copy', () => void copyNumber());
  copy.classList.add('copy');
  const details = h('div', { class: 'details', dir: 'auto' });
  const claim = h('div', { class: 'claim', dir: 'auto', hidden: true });
  const matches = h('span', { class: 'badge', hidden: true });
  const repeat = h('span', { class: 'badge repeat', hidden: true });
  const badges = h('div', { class: 'badges' }, repeat, matches);
  const message = h('div', { class: 'message', part: 'message' });
  const caption = h('span', { class: 'caption', 'aria-hidden': 'true' });
  const timer = h('time', { class: 'timer', part: 'timer', role: 'timer', 'aria-live': 'off' });
  const extra = h('div', { class: 'extra', hidden: true, dir: 'auto' });
  const hintIcon = h('span', {});
  const hintBlocked = h('span', { class: 'blocked' });
  const hintNow = h('span', { hidden: true });
  const unlock = h('button', { class: 'linkbutton', type: 'button', click: () => actions.unlock() });
  const hint = h('div', { class: 'hint', part: 'hint', hidden: true }, hintIcon, h('div', {}, hintBlocked, hintNow), unlock);
  const pastTitle = h('summary', {});
  const pastList = h('ul', {});
  const past = h('details', { class: 'past', hidden: true }, pastTitle, pastList);
  const pastNote = h('div', { class: 'pastnote', hidden: true }); // has its place before the history answers
  const open = h('a', { class: 'button primary', target: '_blank', rel: 'noopener noreferrer' });
  open.addEventListener('click', (event) => {
    if (shown && !actions.open(shown)) event.preventDefault();
  });
  const closeText = h('button', { class: 'button', type: 'button', click: dismiss });

  const heading = h('h2', { class: 'name', part: 'name', id: 'name' }, name);
  const card = h(
    'article',
    { class: 'card', part: 'card', 'aria-labelledby': 'name' },
    h('div', { class: 'header', part: 'header' }, h('span', { class: 'dot' }), status, test, mute, minimise, close),
    h('div', { class: 'who' }, avatar,
      h('div', { class: 'person' }, heading, h('div', { class: 'numberline' }, number, copy), details, claim, badges)),
    h('div', { class: 'band' }, message, h('div', { class: 'right' }, caption, timer)),
    extra,
    h('slot', { name: 'extra' }),
    hint,
    past, pastNote,
    h('div', { class: 'footer', part: 'actions' }, open, closeText, h('slot', { name: 'actions' })),
  );
  card.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !shown) return;
    event.stopPropagation();
    if (!meantForAnother(event)) dismiss();
  });
  card.addEventListener('click', (event) => {
    if (!meantForAnother(event)) return;
    event.stopPropagation();
    event.preventDefault();
  }, { capture: true });

  /** The second half of a double click counts as well. @param {UIEvent} event */
  function meantForAnother(event) {
    return performance.now() - taken.at < TOO_SOON_MS && (!taken.byUser || event.detail > 1);
  }

  async function copyNumber() {
    if (!shown?.caller.number) return;
    try {
      await navigator.clipboard.writeText(shown.caller.number);
      copied = true;
      swapIcon(copy, 'check');
      label(copy, say('copied')); // the name of a focused button that changes is read out
      setTimeout(() => {
        copied = false;
        swapIcon(copy, 'copy');
        label(copy, say('action.copy'));
      }, 1500);
    } catch {
      // Denied: the number can still be selected and copied by hand.
    }
  }

  return {
    element: card,

    /** @param {ShownCall} call @param {Context} context */
    update(call, { t, lang, now, state, minimised, past: earlier }) {
      if (shown?.call_id !== call.call_id) {
        past.open = false;
        if (shown && !card.hidden) taken = { at: performance.now(), byUser: closed === shown.call_id };
      }
      shown = call;
      const view = cardView(call, t, lang);
      card.dataset.look = view.look;
      card.classList.toggle('stale', state.lost);
      card.classList.toggle('minimised', minimised);
      setText(status, minimised ? `${view.status} · ${view.name}` : view.status);
      setText(test, view.test ? t('test') : '');
      label(mute, t('action.mute'));
      // Also where the browser still blocks the sound: another tab may be the one that rings.
      mute.hidden = call.state !== 'ringing' || call.muted || state.sound === 'muted';
      label(minimise, t(minimised ? 'action.restore' : 'action.minimise'));
      minimise.setAttribute('aria-expanded', String(!minimised));
      swapIcon(minimise, minimised ? 'up' : 'down');
      label(close, t('action.close'));
      if (avatar.dataset.for !== view.initials + view.known) {
        avatar.dataset.for = view.initials + view.known;
        avatar.replaceChildren(view.initials || icon('user'));
      }
      setText(name, view.name);
      heading.title = view.name; // all of it, where two lines are not enough
      setText(number, view.number);
      copy.hidden = view.copy === null || !navigator.clipboard;
      say = t;
      if (!copied) label(copy, t('action.copy'));
      setText(details, view.details);
      setText(claim, view.claim);
      setText(repeat, view.repeat);
      setText(matches, view.matches);
      badges.hidden = !view.repeat && !view.matches;
      setText(message, view.message);
      setText(extra, view.extra);
      const ringing = call.state === 'ringing';
      if (ringing && state.sound === 'blocked') hinted = call.call_id;
      hint.hidden = !ringing || hinted !== call.call_id;
      hint.dataset.sound = state.sound;
      swapIcon(hintIcon, state.sound === 'ready' ? 'volume' : 'mute');
      setText(hintBlocked, t('sound.blocked'));
      setText(hintNow, state.sound === 'blocked' ? '' : t(`sound.now.${state.sound}`));
      setText(unlock, t('sound.unlock'));
      setAttribute(open, 'href', view.url);
      setText(open, view.url ? t(view.known ? 'action.open' : 'action.create') : '');
      setText(closeText, t('action.close'));
      setText(pastTitle, t('history.title'));
      const found = earlier?.calls ?? [];
      past.hidden = !found.length;
      pastNote.hidden = !earlier || found.length > 0;
      pastNote.textContent = earlier?.said === 'none' || earlier?.said === 'failed' ? t(`past.${earlier.said}`) : '\u00a0';
      pastList.replaceChildren(...found.map((one) => pastItem(one, t, lang, now)));
      this.tick(now, t);
    },

    /** @param {number} now @param {Translate} t */
    tick(now, t) {
      if (!shown) return;
      const view = timerView(shown, now, t);
      setText(caption, view.caption);
      setText(timer, view.text);
      timer.classList.toggle('words', view.iso === null);
      setAttribute(timer, 'datetime', view.iso);
      setAttribute(timer, 'aria-label', view.spoken === view.text ? null : view.spoken);
      setAttribute(timer, 'title', view.spoken === view.text ? null : view.spoken);
    },
  };
}

/**
 * @param {import('../core/protocol.js').Call} call
 * @param {Translate} t
 * @param {string} lang
 * @param {number} now
 */
function pastItem(call, t, lang, now) {
  const missed = call.end?.reason === 'missed';
  return h(
    'li',
    { class: missed ? 'missed' : '', title: callerNumber(call, t) },
    h('span', {}, moment(call.ring_started_at, now, lang)),
    h('span', {}, t(`reason.${call.end?.reason ?? 'unknown'}`)),
  );
}

/** @param {string} name @param {() => void} click */
export function iconButton(name, click) {
  return h('button', { class: 'iconbutton', type: 'button', click, 'data-icon': name }, icon(name));
}

/** @param {HTMLButtonElement} button @param {string} text */
export function label(button, text) {
  setAttribute(button, 'aria-label', text);
  setAttribute(button, 'title', text);
}

/** @param {HTMLElement} holder @param {string} name */
function swapIcon(holder, name) {
  if (holder.dataset.icon === name) return;
  holder.dataset.icon = name;
  holder.replaceChildren(icon(name));
}
