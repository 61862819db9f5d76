/** `<call-notification>`: the card as a custom element. */

import { createCallClient } from '../core/client.js';
import { callerName } from '../core/caller.js';
import { createPress } from '../core/press.js';
import { pickLanguage, translator } from '../strings/index.js';
import { keepAim } from './aim.js';
import { createCard } from './card.js';
import { createCheck } from './check.js';
import { h, setText } from './dom.js';
import { announcements, events } from './events.js';
import { createNotes } from './notes.js';
import { createPast } from './past.js';
import { createRows } from './rows.js';
import { styles } from './styles.js';
import { fetchToken } from './token.js';
import { createTopLayer } from './toplayer.js';

/**
 * @typedef {import('../core/client.js').CallClient} CallClient
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 */

const COMPLAIN_AFTER_MS = 3000;
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * Attributes: `url`, `lang` (ru, en), `theme` (light, dark, auto), `position` (bottom-right, bottom-left, top-right,
 * top-left, inline), `ringtone` (synth, off, URL), `token-url` (answers the user's token to a GET with cookies).
 * Properties: `client`, `getToken`, `strings`. Methods: `openCheck()`, `closeCheck()`. Slots: `extra`, `actions`. Events (bubbling, composed): `call-ringing`,
 * `call-talking`, `call-ended`, `call-dismissed`, `call-open` (cancelable), each with `detail.call`;
 * `connection-change`, `sound-change`, each with `detail.state`.
 */
export class CallNotificationElement extends Base {
  static observedAttributes = ['url', 'lang', 'position', 'ringtone', 'token-url'];

  /** @type {CallClient|null} */ #client = null;
  /** @type {(() => string|Promise<string>)|null} */ #getToken = null;
  /** @type {Record<string, import('../strings/ru.js').Text>} */ #strings = {};
  #own = false; // this element made its client, so it starts and stops it
  /** @type {(() => void)|null} */ #unsubscribe = null;
  /** @type {ClientState|null} */ #state = null;
  #minimised = false;
  #allShown = false;
  /** @type {any} */ #ticker = null;
  /** @type {AbortController|null} */ #life = null;
  /** @type {import('../core/press.js').Press|null} */ #press = null;
  #checking = false;
  /** What had the focus before the user went into one of our layers. @type {HTMLElement|null} */ #cameFrom = null;

  #t = translator('ru');
  #stack = h('section', { class: 'stack', part: 'stack' });
  #spoken = h('div', { class: 'spoken', role: 'alert' });
  #card = createCard({
    dismiss: (call) => this.#client?.dismiss(call.call_id),
    open: (call) => this.#emit('call-open', { call }, true),
    mute: (call) => this.#client?.mute(call.call_id),
    unlock: () => this.#client?.unlockSound(),
    minimise: () => {
      this.#minimised = !this.#minimised;
      this.#render();
    },
  });
  #rows = createRows((call) => this.#client?.dismiss(call.call_id));
  #notes = createNotes({
    closeMissed: () => this.#client?.clearMissed(),
    unlock: () => this.#client?.unlockSound(),
    check: () => this.openCheck(),
  });
  #past = createPast(() => this.#later(this.#again));
  #check = createCheck(() => this.closeCheck());
  #moreButton = h('button', { class: 'pill', type: 'button', hidden: true, click: () => this.#showAll() });
  #closeAll = h('button', { class: 'pill', type: 'button', hidden: true, click: () => this.#client?.dismissAll() });
  #bar = h('div', { class: 'bar', hidden: true });
  #topLayer = createTopLayer(this, (run) => this.#later(run));

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    this.#bar.append(this.#moreButton, this.#closeAll);
    this.#stack.append(this.#notes.element, this.#card.element, this.#rows.element, this.#bar);
    this.#card.element.hidden = true;
    this.#check.element.setAttribute('popover', 'manual');
    root.append(this.#stack, this.#check.element, this.#spoken);
    root.addEventListener('focusin', (event) => {
      const from = /** @type {FocusEvent} */ (event).relatedTarget;
      if (from instanceof HTMLElement && from.getRootNode() !== root) this.#cameFrom = from;
    });
  }

  /** The client that this element shows. Give it one to share, or let the element make its own. */
  get client() {
    return this.#client;
  }

  set client(client) {
    if (client === this.#client) return;
    this.#letGo();
    this.#client = client;
    this.#own = false;
    if (this.isConnected) this.#follow();
  }

  /** Where the element's own client gets the user's token. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(getToken) {
    this.#getToken = getToken;
    this.#remake();
  }

  /** Texts of your own, by the keys of strings/ru.js. */
  get strings() {
    return this.#strings;
  }

  set strings(strings) {
    this.#strings = strings ?? {};
    this.#translate();
  }

  /** Open the self-check «Почему я не вижу звонки?», with a test call. */
  openCheck() {
    if (!this.#client) return;
    this.#checking = true;
    this.#check.open();
    this.#render();
    this.#check.focus();
  }

  closeCheck() {
    if (!this.#checking) return;
    this.#checking = false;
    this.#render();
  }

  connectedCallback() {
    if (this.#topLayer.isMoving()) return;
    if (this.#life) return this.#topLayer.show(); // moved by the page, which hides popovers
    this.#life = new AbortController();
    // Properties set before the element was defined hide the accessors; take them over.
    for (const name of /** @type {const} */ (['client', 'getToken', 'strings'])) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (/** @type {any} */ (this)[name]);
      /** @type {any} */ (this)[name] = value;
    }
    this.#press = createPress(window);
    keepAim(/** @type {ShadowRoot} */ (this.shadowRoot), this.#life.signal);
    document.addEventListener('visibilitychange', () => this.#tick(), { signal: this.#life.signal });
    this.#translate();
    if (this.#client) this.#follow();
    else this.#remake();
  }

  disconnectedCallback() {
    if (this.#topLayer.isMoving()) return;
    // React and others move nodes by removing and inserting; only an element that stays away lets go.
    queueMicrotask(() => {
      if (this.isConnected || this.#topLayer.restore()) return;
      this.#life?.abort();
      this.#press?.close();
      this.#life = this.#press = null;
      this.#topLayer.close();
      this.#letGo();
    });
  }

  /** @param {string} name @param {string|null} before @param {string|null} after */
  attributeChangedCallback(name, before, after) {
    if (before === after || !this.#life) return;
    if (name === 'lang') this.#translate();
    else if (name === 'position') this.#render();
    else this.#remake();
  }

  #translate() {
    this.#t = translator(this.#lang, this.#strings);
    for (const part of [this.#stack, this.#check.element, this.#spoken]) part.lang = this.#lang; // for its pronunciation
    if (this.#own) this.#client?.setLanguage(this.#lang);
    this.#render();
  }

  get #lang() {
    return pickLanguage(this.getAttribute('lang'), document.documentElement.lang);
  }

  #remake() {
    if (!this.#life || (this.#client && !this.#own)) return;
    const tokenUrl = this.getAttribute('token-url');
    const getToken = this.#getToken ?? (tokenUrl ? () => fetchToken(tokenUrl) : null);
    this.#letGo();
    if (!getToken) return void setTimeout(() => this.#complain(), COMPLAIN_AFTER_MS);
    this.#own = true;
    this.#client = createCallClient({
      url: this.getAttribute('url'),
      getToken,
      lang: this.#lang,
      ringtone: this.getAttribute('ringtone') ?? 'synth',
    });
    this.#follow();
    this.#client.start();
  }

  #complain() {
    if (this.#client || !this.isConnected) return;
    console.warn('<call-notification> shows nothing yet: it needs the attribute token-url, or the property getToken or client');
  }

  #letGo() {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.closeCheck();
    clearTimeout(this.#ticker);
    this.#ticker = null;
    if (this.#own) {
      this.#client?.stop();
      this.#client = null;
      this.#own = false;
    }
    this.#state = null;
  }

  #follow() {
    this.#unsubscribe?.();
    this.#unsubscribe = this.#client?.subscribe(() => this.#changed()) ?? null;
    this.#changed();
  }

  #changed() {
    const before = this.#state;
    const state = this.#client?.getState() ?? null;
    if (!state || state === before) return;
    this.#state = state;
    this.#render();
    this.#tell(before, state);
  }

  /** @param {ClientState|null} before @param {ClientState} state */
  #tell(before, state) {
    const spoken = announcements(before, state);
    if (spoken.length) {
      this.#spoken.textContent = spoken.map(({ key, call }) => this.#t(key, { name: callerName(call, this.#t) })).join(' ');
    }
    for (const { type, detail } of events(before, state)) this.#emit(type, detail);
  }

  /** @param {string} type @param {object} detail @param {boolean} [cancelable] @returns {boolean} */
  #emit(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable }));
  }

  #showAll() {
    this.#allShown = true;
    this.#render();
  }

  #again = () => void this.#render();

  /** What comes by itself, not by the client's state (which waits, too), waits until the user presses on nothing. */
  #later(/** @type {() => void} */ run) {
    this.#press?.after(run);
  }

  #render() {
    const state = this.#state;
    if (!state || !this.#client) return this.#topLayer.set(this.#stack, false);
    const focused = this.shadowRoot?.activeElement;
    // The check covers what stands in the page, so meanwhile the card floats above it.
    const place = this.#checking && this.getAttribute('position') === 'inline' ? 'bottom-right' : this.getAttribute('position');
    const inline = place === 'inline';
    this.#stack.dataset.place = place ?? '';
    const [primary, ...others] = state.calls;
    const visible = this.#allShown ? others : others.slice(0, Math.max(0, state.maxVisible - 1));
    const t = this.#t;
    this.#allShown &&= others.length > visible.length || others.length >= state.maxVisible;
    const context = {
      t, state, lang: this.#lang, now: this.#client.now(), minimised: this.#minimised,
      past: this.#past.of(primary),
    };
    this.#stack.setAttribute('aria-label', t('region'));
    const noted = this.#notes.update(context);
    if (primary) {
      this.#card.update(primary, context);
      void this.#past.load(primary, this.#client);
    } else {
      this.#minimised = false;
    }
    this.#card.element.hidden = !primary;
    this.#rows.update(visible, context);
    const hidden = others.length - visible.length;
    setText(this.#moreButton, hidden ? t('more', { n: hidden }) : '');
    setText(this.#closeAll, others.length ? t('action.close_all') : '');
    this.#bar.hidden = !others.length;
    if (inline) this.#stack.removeAttribute('popover');
    else if (this.#stack.getAttribute('popover') !== 'manual') this.#stack.setAttribute('popover', 'manual');
    this.#topLayer.set(this.#stack, !inline && (Boolean(primary) || noted));
    if (this.#checking) this.#check.update(this.#client, t);
    else this.#check.close();
    this.#topLayer.set(this.#check.element, this.#checking);
    if (focused && !focused.checkVisibility({ visibilityProperty: true })) this.#giveFocusBack();
    this.#tick();
    return undefined;
  }

  /** What had the focus is gone: it goes back to what the user was at, such as a note that he types. */
  #giveFocusBack() {
    const back = this.#cameFrom;
    this.#cameFrom = null;
    if (back?.isConnected) back.focus({ preventScroll: true });
  }

  /** Once a second while something runs and somebody can see it; the time itself comes from the server's clock. */
  #tick() {
    clearTimeout(this.#ticker);
    this.#ticker = null;
    const live = this.#state?.calls.some((call) => call.state !== 'ended') && !this.#state.lost;
    if (!live || !this.#client || document.visibilityState !== 'visible') return;
    const now = this.#client.now();
    this.#card.tick(now, this.#t);
    this.#rows.tick(now, this.#t);
    const main = this.#state?.calls[0];
    const since = main?.state === 'talking' ? (main.answered_at ?? now) : (main?.ring_started_at ?? now);
    this.#ticker = setTimeout(() => this.#tick(), 1005 - ((((now - since) % 1000) + 1000) % 1000));
  }
}

if (globalThis.customElements && !customElements.get('call-notification')) {
  customElements.define('call-notification', CallNotificationElement);
}
