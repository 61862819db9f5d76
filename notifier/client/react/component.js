/** `<CallNotification/>` and `<CallCheck/>`: the card, and the button of its self-check, as React components. */

import { createElement, useEffect, useRef } from 'react';
import '../element/element.js';
import '../element/checkbutton.js';
import { useSharedClient } from './hook.js';

/**
 * @typedef {import('../core/state.js').ShownCall} ShownCall
 *
 * @typedef {object} CardProps
 * @property {'auto'|'light'|'dark'} [theme]
 * @property {'bottom-right'|'bottom-left'|'top-right'|'top-left'|'inline'} [position]
 * @property {Record<string, import('../strings/ru.js').Text>} [strings]
 * @property {(call: ShownCall) => void} [onRinging]
 * @property {(call: ShownCall) => void} [onTalking]
 * @property {(call: ShownCall) => void} [onEnded]
 * @property {(call: ShownCall) => void} [onDismissed]
 * @property {(call: ShownCall, event: Event) => void} [onOpen] the user wants the caller's card; call
 *   `event.preventDefault()` to open it yourself
 * @property {unknown} [children] elements with `slot="extra"` or `slot="actions"`
 *
 * @typedef {import('./shared.js').SharedOptions & CardProps} CallNotificationProps
 */

/** @type {Record<string, 'onRinging'|'onTalking'|'onEnded'|'onDismissed'|'onOpen'>} */
const EVENTS = {
  'call-ringing': 'onRinging',
  'call-talking': 'onTalking',
  'call-ended': 'onEnded',
  'call-dismissed': 'onDismissed',
  'call-open': 'onOpen',
};

/**
 * @param {CallNotificationProps} props
 */
export function CallNotification(props) {
  const client = useSharedClient(props);
  const element = useRef(/** @type {any} */ (null));
  const latest = useRef(props);

  useEffect(() => {
    latest.current = props;
    if (element.current && props.strings) element.current.strings = props.strings;
  });

  // React before 19 knows neither properties nor events of custom elements; a ref works in all versions.
  useEffect(() => {
    if (element.current && client) element.current.client = client;
  }, [client]);
  useEffect(() => {
    const node = element.current;
    const life = new AbortController();
    for (const [type, name] of Object.entries(EVENTS)) {
      const tell = (/** @type {any} */ event) => latest.current[name]?.(event.detail.call, event);
      node.addEventListener(type, tell, { signal: life.signal });
    }
    return () => life.abort();
  }, []);

  const { lang, theme, position, children } = props;
  return createElement(
    'call-notification',
    { ref: element, lang: lang ?? undefined, theme, position },
    /** @type {any} */ (children),
  );
}

/**
 * A button that opens the self-check of the page's card; its children replace «Почему я не вижу звонки?».
 * @param {{lang?: string|null, children?: unknown}} props
 */
export function CallCheck({ lang, children }) {
  return createElement('call-check', { lang: lang ?? undefined }, /** @type {any} */ (children));
}
