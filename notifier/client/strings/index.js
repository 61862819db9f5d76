/** Texts in the user's language. Pure. */

import en from './en.js';
import ru from './ru.js';

/**
 * @typedef {import('./ru.js').Text} Text
 * @typedef {(key: string, values?: Record<string, string|number>) => string} Translate
 */

/** @type {Record<string, Record<string, Text>>} */
const LANGUAGES = { ru, en };

/**
 * The language to use: the first of `wanted` that we speak, else Russian. The browser's own language is not asked:
 * a Russian office has many browsers that were never switched from English.
 * @param {...(string|null|undefined)} wanted such as 'ru' or 'en-GB'
 * @returns {'ru'|'en'}
 */
export function pickLanguage(...wanted) {
  for (const tag of wanted) {
    const lang = String(tag ?? '').slice(0, 2).toLowerCase();
    if (lang === 'ru' || lang === 'en') return lang;
  }
  return 'ru';
}

/**
 * @param {'ru'|'en'} lang
 * @param {Record<string, Text>} [overrides] texts of the host's own, by key
 * @returns {Translate}
 */
export function translator(lang, overrides = {}) {
  const plural = new Intl.PluralRules(lang);
  return (key, values = {}) => {
    const found = overrides[key] ?? LANGUAGES[lang][key] ?? key;
    const text = typeof found === 'string' ? found : (found[pluralForm(plural, values.n)] ?? found.other);
    return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}

/**
 * @param {Intl.PluralRules} rules
 * @param {string|number|undefined} n
 * @returns {'one'|'few'|'many'|'other'}
 */
function pluralForm(rules, n) {
  const form = rules.select(Number(n ?? 0));
  return form === 'zero' || form === 'two' ? 'other' : form;
}
