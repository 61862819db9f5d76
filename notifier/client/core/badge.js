/**
 * The tab says who rings: its title and icon change while a call rings, and are put back after.
 */

/**
 * @param {object} options
 * @param {Document} options.document
 * @param {string} options.icon URL of the ringing icon
 * @returns {{show: (text: string|null) => void}} null restores
 */
export function createBadge({ document, icon }) {
  /** @type {string|null} */
  let original = null;
  let ours = '';
  /** @type {HTMLLinkElement|null} */
  let link = null;
  /** @type {HTMLLinkElement[]} */
  let hidden = [];

  function restore() {
    if (original === null) return;
    // The page may have set a title of its own in the meantime; then that one stays.
    if (document.title === ours) document.title = original;
    original = null;
    link?.remove();
    link = null;
    for (const one of hidden) one.rel = 'icon';
    hidden = [];
  }

  return {
    show(text) {
      if (text === null) return restore();
      if (original === null || document.title !== ours) original = document.title;
      ours = original ? `${text} · ${original}` : text;
      if (document.title !== ours) document.title = ours;
      if (link) return undefined;
      hidden = [.../** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll('link[rel~="icon"]'))];
      for (const one of hidden) one.rel = 'x-zvonok-icon';
      link = document.createElement('link');
      link.rel = 'icon';
      link.type = 'image/svg+xml';
      link.href = icon;
      document.head.append(link);
      return undefined;
    },
  };
}
