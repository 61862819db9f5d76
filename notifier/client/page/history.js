/** Today's calls, missed first, and what was before, page by page. */

import { callerName, callerNumber } from '../core/caller.js';
import { isMissed } from '../core/calls.js';
import { joined } from '../core/text.js';
import { duration, moment, startOfDay } from '../core/time.js';
import { h, setText } from '../element/dom.js';
import { icon } from '../element/icons.js';

/**
 * @typedef {import('../core/protocol.js').Call} Call
 * @typedef {'today'|'missed'|'all'} Filter
 */

const PAGE_SIZE = 20;
const MOST_AT_ONCE = 100; // the server's limit
const RELOAD_AFTER_MS = 1500; // the history is written after the call's state is told

/**
 * @param {import('../core/client.js').CallClient} client
 * @param {import('./preferences.js').Preferences} prefs
 * @param {(run: () => void) => void} later runs it when the user presses on nothing
 */
export function createHistory(client, prefs, later) {
  const { t, lang } = prefs;
  /** @type {Filter} */
  let filter = 'today';
  /** @type {Call[]} */
  let calls = [];
  /** Today's missed calls: all of them, because they come first whatever page they are on. @type {Call[]} */
  let missedToday = [];
  /** @type {string|number|null} */
  let next = null;
  /** How many the user asked for: a reload that overtakes "more" must not lose it. */
  let wanted = PAGE_SIZE;
  let failed = false;
  let loaded = false;
  let fingerprint = '';
  /** @type {AbortController|null} */
  let loading = null;
  /** @type {any} */
  let timer = null;

  const list = h('ul', { class: 'history' });
  const emptyText = h('strong', {});
  const empty = h('div', { class: 'empty' }, icon('phone'), emptyText);
  const more = h('button', { class: 'button', type: 'button', click: () => void load(true) }, t('history.more'));
  const paging = h('div', { class: 'paging', hidden: true }, more);
  const tabs = h('div', { class: 'tabs', role: 'group', 'aria-label': t('history.filter') },
    ...(/** @type {const} */ (['today', 'missed', 'all'])).map((name) =>
      h('button', { type: 'button', 'data-filter': name, click: () => choose(name) }, t(`history.${name}`))));
  const element = h('section', { class: 'panel history-panel', 'aria-labelledby': 'history' },
    h('header', {}, h('h2', { id: 'history' }, t('history.heading')), tabs), list, empty, paging);

  /** @param {Filter} name */
  function choose(name) {
    filter = name;
    calls = [];
    wanted = PAGE_SIZE;
    void load(false);
  }

  /** @param {boolean} further the next page; else all that is shown, anew */
  async function load(further) {
    loading?.abort();
    const mine = (loading = new AbortController());
    more.disabled = true;
    if (further) wanted = calls.length + PAGE_SIZE;
    const today = filter === 'today';
    const since = today ? startOfDay(client.now()) : undefined;
    try {
      const [page, missed] = await Promise.all([
        client.history({
          limit: further ? PAGE_SIZE : Math.min(MOST_AT_ONCE, Math.max(wanted, calls.length)),
          before: further && next !== null ? next : undefined,
          since,
          reason: filter === 'missed' ? 'missed' : undefined,
        }, mine.signal),
        today ? client.history({ limit: MOST_AT_ONCE, since, reason: 'missed' }, mine.signal) : null,
      ]);
      if (mine.signal.aborted) return;
      calls = further ? [...calls, ...page.calls] : page.calls;
      missedToday = missed?.calls ?? [];
      next = page.next;
      failed = false;
      loaded = true;
    } catch {
      if (mine.signal.aborted) return;
      failed = true;
    }
    later(render);
  }

  function render() {
    more.disabled = false;
    for (const button of tabs.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.dataset.filter === filter));
    }
    const ended = calls.filter((call) => call.state === 'ended');
    const missed = filter === 'today' ? missedToday : [];
    const rest = filter === 'today' ? ended.filter((call) => !isMissed(call)) : ended;
    list.replaceChildren(
      ...(missed.length ? [group(t('history.group.missed', { n: missed.length })), ...missed.map(item)] : []),
      ...(missed.length && rest.length ? [group(t('history.group.rest'))] : []),
      ...rest.map(item),
    );
    const some = missed.length + rest.length > 0;
    list.hidden = !some;
    empty.hidden = some;
    setText(emptyText, t(failed ? 'history.failed' : !loaded ? 'history.loading' : `history.empty.${filter}`));
    paging.hidden = next === null || !some;
  }

  /** @param {string} text */
  const group = (text) => h('li', { class: 'group' }, text);

  /** @param {Call} call */
  function item(call) {
    const talked = call.answered_at !== null && call.ended_at !== null && call.end?.reason !== 'answered_elsewhere';
    const name = h('bdi', {}, callerName(call, t));
    const by = call.end?.answered_by?.name;
    const outcome = talked
      ? duration(/** @type {number} */ (call.ended_at) - /** @type {number} */ (call.answered_at))
      : by && call.end?.reason === 'answered_elsewhere' ? t('answered_by', { name: by }) : t(`reason.${call.end?.reason ?? 'unknown'}`);
    return h(
      'li', { 'data-look': isMissed(call) ? 'missed' : talked ? 'answered' : 'other' },
      h('span', { class: 'mark', 'aria-hidden': 'true' }, icon(isMissed(call) ? 'missed' : 'incoming')),
      h('span', { class: 'caller' }, call.caller.url
        ? h('a', { href: call.caller.url, target: '_blank', rel: 'noopener noreferrer' }, name) : name),
      h('time', { class: 'when', datetime: new Date(call.ring_started_at).toISOString() },
        moment(call.ring_started_at, client.now(), lang)),
      h('div', { class: 'second' },
        h('span', { class: 'sub', dir: 'auto' }, joined([callerNumber(call, t), call.caller.company, call.line.queue])),
        h('span', { class: 'outcome' }, outcome)),
    );
  }

  render();
  return {
    element,
    /** Load again when we are connected anew, a call ended, or a day began. @param {import('../core/state.js').ClientState} state */
    update(state) {
      const ended = state.calls.filter((call) => call.state === 'ended').map((call) => call.call_id + call.rev);
      const seen = `${state.connection} ${startOfDay(client.now())} ${ended.join()}`;
      if (seen === fingerprint || state.connection !== 'online') return;
      const first = !fingerprint;
      fingerprint = seen;
      clearTimeout(timer);
      timer = setTimeout(() => void load(false), first ? 0 : RELOAD_AFTER_MS);
    },
  };
}
