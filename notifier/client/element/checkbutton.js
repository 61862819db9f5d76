/** `<call-check>`: a button, for a CRM's help menu, that opens the self-check of the page's `<call-notification>`. */

import { pickLanguage, translator } from '../strings/index.js';
import { h } from './dom.js';

const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * Attributes: `for`, the id of the `<call-notification>`, by default the page's first; `lang`. Its content replaces the
 * text «Почему я не вижу звонки?». Part: `button`.
 */
export class CallCheckElement extends Base {
  static observedAttributes = ['lang'];

  #text = h('slot', {});

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('button { font: inherit; color: inherit; cursor: pointer; border: 0; background: none; padding: 0; text-decoration: underline; }');
    root.adoptedStyleSheets = [sheet];
    root.append(h('button', { type: 'button', part: 'button', click: () => this.#open() }, this.#text));
  }

  connectedCallback() {
    this.attributeChangedCallback();
  }

  attributeChangedCallback() {
    const t = translator(pickLanguage(this.getAttribute('lang'), document.documentElement.lang));
    this.#text.textContent = t('check.title');
  }

  #open() {
    const id = this.getAttribute('for');
    const card = id ? document.getElementById(id) : document.querySelector('call-notification');
    /** @type {import('./element.js').CallNotificationElement|null} */ (card)?.openCheck?.();
  }
}

if (globalThis.customElements && !customElements.get('call-check')) customElements.define('call-check', CallCheckElement);
