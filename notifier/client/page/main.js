/** The stand-alone page: everything an office without a CRM of its own needs. */

import '../element/element.js';
import { createCallClient } from '../core/client.js';
import { createPress } from '../core/press.js';
import { h, setText } from '../element/dom.js';
import { icon } from '../element/icons.js';
import { iconLabel } from './labels.js';
import { createHistory } from './history.js';
import { forgetToken, onTokenElsewhere, sameUser, takeToken } from './login.js';
import { createSettings } from './settings.js';
import { preferences } from './preferences.js';
import { groupNumber } from '../core/text.js';
import { welcome } from './welcome.js';

const prefs = preferences(window);
let token = takeToken(window);

window.addEventListener('hashchange', () => {
  const before = token;
  token = takeToken(window);
  if (token && token !== before) window.location.reload();
});
// Another tab signed out, or in as somebody else: this one follows, so that nobody's calls stay on a screen by mistake.
// A newer link of the same user is only kept: a reload would lock the sound again.
onTokenElsewhere(window, (theirs) => {
  if (sameUser(theirs, token)) token = theirs;
  else window.location.reload();
});

prefs.apply();
if (token) open();
else document.body.append(welcome(prefs.t, 'none'));

function open() {
  const { t } = prefs;
  const client = createCallClient({ getToken: () => token, lang: prefs.lang });
  const pill = h('span', { class: 'pill', role: 'status' });
  const name = h('bdi', {});
  const numbers = h('div', { class: 'numbers' });
  const card = document.createElement('call-notification');
  card.setAttribute('position', 'inline');
  const empty = h('div', { class: 'panel empty' }, icon('phone'),
    h('strong', {}, t('page.no_calls')), h('span', { class: 'small' }, t('page.no_calls_hint')));
  const check = () => /** @type {import('../element/element.js').CallNotificationElement} */ (card).openCheck();
  const press = createPress(window);
  const history = createHistory(client, prefs, press.after);
  const settings = createSettings(client, prefs, {
    check,
    leave() {
      forgetToken(window);
      client.stop();
      document.body.replaceChildren(welcome(t, 'left'));
    },
  });

  const help = h('button', { class: 'square', type: 'button', click: check }, icon('help'));
  iconLabel(help, t('check.title'));
  document.body.append(
    h('header', { class: 'top' },
      h('div', {},
        h('div', { class: 'brand' }, h('img', { src: new URL('../icons/zvonok.svg', import.meta.url).href, alt: '' }),
          h('h1', {}, t('page.title'))),
        pill,
        h('div', { class: 'me' }, h('div', { class: 'name' }, name), numbers),
        help)),
    h('main', {},
      h('section', { class: 'column', 'aria-labelledby': 'now' }, h('h2', { id: 'now' }, t('page.now')), card, empty),
      history.element, settings.element),
  );

  let refused = false;
  client.subscribe(show);
  function show() {
    const state = client.getState();
    const online = state.connection === 'online';
    const level = online ? (state.sourcesDown.length ? 'warn' : 'ok') : state.connection === 'auth_failed' ? 'bad' : 'warn';
    pill.dataset.level = level;
    setText(pill, t(`page.connection.${online && state.sourcesDown.length ? 'source_down' : state.connection}`));
    setText(name, state.user ? state.user.name || t('page.user', { id: state.user.id }) : '');
    const own = state.numbers?.map(({ number, label }) => groupNumber(number) + (label ? ` (${label})` : ''));
    setText(numbers, own?.length ? own.join(', ') : state.numbers ? t('page.no_numbers') : '');
    numbers.title = numbers.textContent ?? '';
    empty.hidden = state.calls.length > 0;
    settings.update(state);
    history.update(state);
    if (state.connection === 'auth_failed' && !refused) {
      refused = true;
      const forbidden = client.diagnose().some(({ text }) => text === 'check.token.forbidden');
      document.body.replaceChildren(welcome(t, forbidden ? 'forbidden' : 'refused'));
    }
  }
  /** @type {any} */ (card).client = client;
  prefs.apply(); // now there is a card to have the theme
  client.start();
  show();
  // «Сегодня» begins anew at midnight, calls or none.
  window.setInterval(() => history.update(client.getState()), 60_000);
}
