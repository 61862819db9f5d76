/** Where the notifier is. Pure, but for the module's own address. */

/**
 * The notifier's base URL, with a slash at the end. Without `url` it is where this module came from, if that was the
 * notifier's `/client/`, else the page's origin.
 * @param {string|null|undefined} url http(s) or ws(s), absolute or relative to the page
 * @param {string} page the page's URL
 * @param {string} [module] this module's URL
 * @returns {string}
 */
export function baseUrl(url, page, module = import.meta.url) {
  if (url) {
    const base = new URL(url, page);
    base.protocol = base.protocol.replace(/^ws/, 'http');
    base.search = base.hash = '';
    if (base.pathname.endsWith('/ws')) base.pathname = base.pathname.slice(0, -2);
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    return base.href;
  }
  const own = new URL(module);
  const at = own.pathname.lastIndexOf('/client/');
  if (!/^https?:$/.test(own.protocol) || at < 0) return new URL('/', page).href;
  return new URL(own.pathname.slice(0, at + 1), own.origin).href;
}

/**
 * The WebSocket's URL under `base`.
 * @param {string} base
 * @returns {string}
 */
export function socketUrl(base) {
  return new URL('ws', base).href.replace(/^http/, 'ws');
}
