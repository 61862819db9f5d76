/**
 * The language to use: the first of `wanted` that we speak, else Russian. The browser's own language is not asked:
 * a Russian office has many browsers that were never switched from English.
 * @param {...(string|null|undefined)} wanted such as 'ru' or 'en-GB'
 * @returns {'ru'|'en'}
 */
export function pickLanguage(...wanted: (string | null | undefined)[]): "ru" | "en";
/**
 * @param {'ru'|'en'} lang
 * @param {Record<string, Text>} [overrides] texts of the host's own, by key
 * @returns {Translate}
 */
export function translator(lang: "ru" | "en", overrides?: Record<string, Text>): Translate;
export type Text = import("./ru.js").Text;
export type Translate = (key: string, values?: Record<string, string | number>) => string;
