/** Without a token, or with one that is refused: how to get a link. */

import { h } from '../element/dom.js';

/**
 * @param {import('../strings/index.js').Translate} t
 * @param {'none'|'refused'|'forbidden'|'left'} why
 */
export function welcome(t, why) {
  const command = h('code', {}, 'zvonok token --user ID');
  return h(
    'main', { class: 'panel welcome' },
    h('img', { src: new URL('../icons/zvonok.svg', import.meta.url).href, alt: '' }),
    h('h1', {}, t(`welcome.${why}`)),
    h('p', {}, t('welcome.what')),
    h('ol', {},
      h('li', {}, t('welcome.step.ask')),
      h('li', {}, t('welcome.step.open'))),
    h('p', {}, t('welcome.admin'), ' ', command),
    h('button', { class: 'button', type: 'button', click: () => window.location.reload() }, t('welcome.again')),
  );
}
