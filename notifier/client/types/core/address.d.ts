/** Where the notifier is. Pure, but for the module's own address. */
/**
 * The notifier's base URL, with a slash at the end. Without `url` it is where this module came from, if that was the
 * notifier's `/client/`, else the page's origin.
 * @param {string|null|undefined} url http(s) or ws(s), absolute or relative to the page
 * @param {string} page the page's URL
 * @param {string} [module] this module's URL
 * @returns {string}
 */
export function baseUrl(url: string | null | undefined, page: string, module?: string): string;
/**
 * The WebSocket's URL under `base`.
 * @param {string} base
 * @returns {string}
 */
export function socketUrl(base: string): string;
