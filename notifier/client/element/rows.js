/** Every call but the main one: a row each, as many as are wanted. */

import { timerView, look, statusKey } from '../core/cardview.js';
import { callerNumber } from '../core/caller.js';
import { h, setText } from './dom.js';
import { iconButton, label } from './card.js';

/** @typedef {import('../core/state.js').ShownCall} ShownCall */

/**
 * @param {(call: ShownCall) => void} dismiss
 */
export function createRows(dismiss) {
  /** @type {Map<string, ReturnType<typeof createRow>>} */
  const rows = new Map();
  const list = h('div', { class: 'rows', role: 'list' });
  list.hidden = true;

  /** @param {ShownCall} first */
  function createRow(first) {
    let call = first;
    const name = h('bdi', { class: 'rowname' });
    const state = h('span', { class: 'rowstate' });
    const close = iconButton('close', () => dismiss(call));
    const element = h('div', { class: 'row', part: 'row', role: 'listitem' }, h('span', { class: 'dot' }), name, state, close);
    return {
      element,
      /** @param {ShownCall} next @param {import('./card.js').Context} context */
      update(next, { t, now }) {
        call = next;
        element.dataset.look = look(call);
        element.title = t(statusKey(call));
        setText(name, call.test ? t('test') : (call.caller.name ?? callerNumber(call, t)));
        label(close, t('action.close'));
        this.tick(now, t);
      },
      /** @param {number} now @param {import('../strings/index.js').Translate} t */
      tick(now, t) {
        const { text, iso } = timerView(call, now, t);
        setText(state, call.state === 'ended' && iso !== null ? `${t('status.ended')} ${text}` : text);
      },
    };
  }

  return {
    element: list,
    /** @param {readonly ShownCall[]} calls @param {import('./card.js').Context} context */
    update(calls, context) {
      const ids = new Set(calls.map((call) => call.call_id));
      for (const [id, row] of rows) {
        if (ids.has(id)) continue;
        row.element.remove();
        rows.delete(id);
      }
      calls.forEach((call, index) => {
        let row = rows.get(call.call_id);
        if (!row) rows.set(call.call_id, (row = createRow(call)));
        row.update(call, context);
        if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
      });
      list.hidden = !calls.length;
    },
    /** @param {number} now @param {import('../strings/index.js').Translate} t */
    tick(now, t) {
      for (const row of rows.values()) row.tick(now, t);
    },
  };
}
