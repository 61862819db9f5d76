/** What the user prefers on this page: language and theme. */

import { createMemory } from '../core/memory.js';
import { pickLanguage, translator } from '../strings/index.js';
import { PAGE } from '../strings/page.js';

/**
 * @param {Window & typeof globalThis} window
 */
export function preferences(window) {
  const memory = createMemory(window);
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const lang = pickLanguage(memory.get('lang'));
  const t = translator(lang, PAGE[lang]);

  function apply() {
    const { document } = window;
    const theme = memory.get('theme') ?? 'auto';
    const effective = theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
    document.documentElement.dataset.theme = effective;
    document.documentElement.lang = lang;
    document.querySelector('call-notification')?.setAttribute('theme', effective);
    if (!document.title || document.title === 'Звонки') document.title = t('page.title');
  }
  dark.addEventListener('change', apply);

  return {
    lang,
    t,
    apply,
    theme: () => memory.get('theme') ?? 'auto',
    /** @param {string} theme */
    setTheme(theme) {
      memory.set('theme', theme === 'auto' ? null : theme);
      apply();
    },
    /** Every text changes, so the page starts anew; calls come back with the snapshot. @param {string} wanted */
    setLang(wanted) {
      memory.set('lang', wanted);
      window.location.reload();
    },
  };
}

/** @typedef {ReturnType<typeof preferences>} Preferences */
