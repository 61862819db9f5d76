/** `<call-notification>`: the card as a custom element. */

import { createCallClient } from '../core/client.js';
import { callerName } from '../core/caller.js';
import { pickLanguage, translator } from '../strings/index.js';
import { createCard } from './card.js';
import { h, setText } from './dom.js';
import { createNotes } from './notes.js';
import { createRows } from './rows.js';
import { styles } from './styles.js';
import { createTopLayer } from './toplayer.js';

/**
 * @typedef {import('../core/client.js').CallClient} CallClient
 * @typedef {import('../core/state.js').ClientState} ClientState
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 * @typedef {import('../core/protocol.js').Call} Call
 */

const PAST_LIMIT = 3;
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * Attributes: `url`, `lang` (ru, en), `theme` (light, dark, auto), `position` (bottom-right, bottom-left, top-right,
 * top-left, inline), `ringtone` (synth, off, URL), `token-url` (answers the user's token to a GET with cookies).
 * Properties: `client`, `getToken`, `strings`. Slots: `extra`, `actions`. Events (bubbling, composed): `call-ringing`,
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
  /** @type {{id: string, calls: Call[]}} */ #past = { id: '', calls: [] };

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
  });
  #moreButton = h('button', { class: 'pill', type: 'button', hidden: true, click: () => this.#showAll() });
  #closeAll = h('button', { class: 'pill', type: 'button', hidden: true, click: () => this.#client?.dismissAll() });
  #bar = h('div', { class: 'bar', hidden: true });
  #topLayer = createTopLayer(this, this.#stack);

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    this.#bar.append(this.#moreButton, this.#closeAll);
    this.#stack.append(this.#notes.element, this.#card.element, this.#rows.element, this.#bar);
    this.#card.element.hidden = true;
    root.append(this.#stack, this.#spoken);
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

  connectedCallback() {
    if (this.#topLayer.isMoving() || this.#life) return;
    this.#life = new AbortController();
    // Properties set before the element was defined hide the accessors; take them over.
    for (const name of /** @type {const} */ (['client', 'getToken', 'strings'])) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (/** @type {any} */ (this)[name]);
      /** @type {any} */ (this)[name] = value;
    }
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
      this.#life = null;
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
    if (!getToken) return;
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

  #letGo() {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
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
    const known = new Map(before?.calls.map((call) => [call.call_id, call]));
    for (const call of state.calls) {
      const old = known.get(call.call_id);
      known.delete(call.call_id);
      if (old?.state === call.state) continue;
      this.#emit(`call-${call.state}`, { call });
      if (call.state !== 'ended' || old) this.#speak(call);
    }
    for (const call of known.values()) this.#emit('call-dismissed', { call });
    if (before?.connection !== state.connection) this.#emit('connection-change', { state: state.connection });
    if (before?.sound !== state.sound) this.#emit('sound-change', { state: state.sound });
  }

  /** @param {ShownCall} call */
  #speak(call) {
    const what = call.end?.reason === 'missed' ? 'missed' : call.state;
    this.#spoken.textContent = this.#t(`announce.${what}`, { name: callerName(call, this.#t) });
  }

  /** @param {string} type @param {object} detail @param {boolean} [cancelable] @returns {boolean} */
  #emit(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable }));
  }

  #showAll() {
    this.#allShown = true;
    this.#render();
  }

  #render() {
    const state = this.#state;
    if (!state || !this.#client) return this.#topLayer.set(false);
    const inline = this.getAttribute('position') === 'inline';
    const [primary, ...others] = state.calls;
    const visible = this.#allShown ? others : others.slice(0, Math.max(0, state.maxVisible - 1));
    const t = this.#t;
    this.#allShown &&= others.length > visible.length || others.length >= state.maxVisible;
    const context = {
      t, state, lang: this.#lang, now: this.#client.now(), minimised: this.#minimised,
      past: primary && this.#past.id === primary.call_id ? this.#past.calls : [],
    };
    this.#stack.setAttribute('aria-label', t('region'));
    const noted = this.#notes.update(context);
    this.#card.element.hidden = !primary;
    if (primary) {
      this.#card.update(primary, context);
      void this.#loadPast(primary);
    } else {
      this.#minimised = false;
    }
    this.#rows.update(visible, context);
    const hidden = others.length - visible.length;
    setText(this.#moreButton, hidden ? t('more', { n: hidden }) : '');
    setText(this.#closeAll, others.length ? t('action.close_all') : '');
    this.#bar.hidden = !others.length;
    if (inline) this.#stack.removeAttribute('popover');
    else if (this.#stack.getAttribute('popover') !== 'manual') this.#stack.setAttribute('popover', 'manual');
    this.#topLayer.set(!inline && (Boolean(primary) || noted));
    this.#tick();
    return undefined;
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

  /** The last calls with the main card's number, for a caller who has one. @param {ShownCall} call */
  async #loadPast(call) {
    if (this.#past.id === call.call_id || !this.#client) return;
    this.#past = { id: call.call_id, calls: [] };
    if (!call.caller.number || call.test) return;
    try {
      const page = await this.#client.history({ number: call.caller.number, limit: PAST_LIMIT + 3 });
      if (this.#past.id !== call.call_id) return;
      const earlier = page.calls.filter((one) => one.first_linkedid !== call.first_linkedid && one.call_id !== call.call_id);
      this.#past.calls = earlier.slice(0, PAST_LIMIT);
      if (earlier.length) this.#render();
    } catch {
      // The history is an extra; the card is right without it.
    }
  }
}

/** @param {string} url @returns {Promise<string>} */
async function fetchToken(url) {
  const answer = await fetch(url, { credentials: 'include', headers: { Accept: 'text/plain, application/json' } });
  if (answer.status === 401 || answer.status === 403) return '';
  if (!answer.ok) throw new Error(`token-url answered with HTTP ${answer.status}`);
  const text = (await answer.text()).trim();
  return text.startsWith('{') ? String(JSON.parse(text).token ?? '') : text;
}

if (globalThis.customElements && !customElements.get('call-notification')) {
  customElements.define('call-notification', CallNotificationElement);
}
