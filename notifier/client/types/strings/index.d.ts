/**
 * The language to use: `wanted` or the browser's if we speak it, else Russian.
 * @param {string|null|undefined} wanted such as 'ru' or 'en-GB'
 * @param {readonly string[]} [preferred] the browser's languages
 * @returns {'ru'|'en'}
 */
export function pickLanguage(wanted: string | null | undefined, preferred?: readonly string[]): "ru" | "en";
/**
 * @param {'ru'|'en'} lang
 * @param {Record<string, Text>} [overrides] texts of the host's own, by key
 * @returns {Translate}
 */
export function translator(lang: "ru" | "en", overrides?: Record<string, Text>): Translate;
export type Text = import("./ru.js").Text;
export type Translate = (key: string, values?: Record<string, string | number>) => string;
