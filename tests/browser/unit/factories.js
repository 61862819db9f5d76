/** Calls for the tests: whatever matters is given. */

import { parseCall } from '../../../notifier/client/core/protocol.js';

/** A call as it comes over the wire. */
export function wireCall(changes = {}) {
  const { caller = {}, line = {}, ...rest } = changes;
  return {
    call_id: 'c1', rev: 1, first_linkedid: 'l1', user_id: 1, direction: 'in', state: 'ringing',
    caller: {
      number: '+79271390907', display: null, name: 'Иванов Иван', kind: 'dealer', id: 5, company: 'ООО «Ромашка»',
      restricted: false, matches: 1, url: null, ...caller,
    },
    line: { number: '101', label: 'рабочий', queue: null, ...line },
    ring_started_at: 1_000, answered_at: null, ended_at: null, end: null, pbx: 'main', test: false, ...rest,
  };
}

/** The same, parsed. */
export function call(changes) {
  return parseCall(wireCall(changes));
}

/** An ended one. */
export function ended(changes = {}) {
  const { reason = 'completed', answered_by = null, ...rest } = changes;
  return call({ state: 'ended', ended_at: 9_000, end: { reason, cause: null, answered_by }, ...rest });
}
