/** Sound, notifications, language, theme. */

import { h, setText } from '../element/dom.js';

/**
 * @param {import('../core/client.js').CallClient} client
 * @param {import('./preferences.js').Preferences} prefs
 * @param {{check: () => void, leave: () => void}} actions
 */
export function createSettings(client, prefs, { check, leave }) {
  const { t } = prefs;
  const sound = h('input', { class: 'switch', type: 'checkbox', role: 'switch', id: 'set-sound' });
  const soundHint = h('small', {});
  const notify = h('input', { class: 'switch', type: 'checkbox', role: 'switch', id: 'set-notify' });
  const notifyHint = h('small', {});
  const lang = select('set-lang', [['ru', 'Русский'], ['en', 'English']], prefs.lang, prefs.setLang);
  const theme = select('set-theme',
    [['auto', t('set.theme.auto')], ['light', t('set.theme.light')], ['dark', t('set.theme.dark')]], prefs.theme(), prefs.setTheme);

  sound.addEventListener('change', () => {
    client.setMuted(!sound.checked);
    if (sound.checked) client.testSound();
  });
  notify.addEventListener('change', () => void client.requestNotifications());

  const element = h(
    'section', { class: 'panel', 'aria-labelledby': 'settings' },
    h('header', {}, h('h2', { id: 'settings' }, t('set.title'))),
    h('div', { class: 'settings' },
      row('set-sound', t('set.sound'), soundHint, sound),
      row('set-notify', t('set.notifications'), notifyHint, notify),
      row('set-lang', t('set.language'), null, lang),
      row('set-theme', t('set.theme'), null, theme),
      h('div', { class: 'setting actions' },
        h('button', { class: 'button', type: 'button', click: check }, t('check.title')),
        h('button', { class: 'button', type: 'button', click: leave }, t('set.leave')))),
  );

  return {
    element,
    /** @param {import('../core/state.js').ClientState} state */
    update(state) {
      sound.checked = state.sound !== 'muted';
      setText(soundHint, t(`set.sound.${state.sound}`));
      notify.checked = state.notifications === 'granted';
      // Only the browser's own settings can take a permission back.
      notify.disabled = state.notifications !== 'default';
      setText(notifyHint, t(`set.notifications.${state.notifications}`));
    },
  };
}

/** @param {string} id @param {string} title @param {HTMLElement|null} hint @param {HTMLElement} control */
function row(id, title, hint, control) {
  return h('div', { class: 'setting' }, h('label', { for: id }, title, hint), control);
}

/** @param {string} id @param {string[][]} options @param {string} value @param {(value: string) => void} change */
function select(id, options, value, change) {
  const element = h('select', { id }, ...options.map(([key, text]) => h('option', { value: key }, text)));
  element.value = value;
  element.addEventListener('change', () => change(element.value));
  return element;
}
