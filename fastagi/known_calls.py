"""What a restart of the tap and a new notifier need: the newest record of each live or recent call. Pure."""

import heapq

from fastagi.records import Changed, PbxSeen, Record, Resolved, Unresolved
from zvonok.call import Call, State


class KnownCalls:
    """The newest record of each live or recent call.

    An ended call is recent for `recent_ttl_ms` after its end, and as long as a leg of its phone call is unresolved.
    """

    def __init__(self, recent_ttl_ms: int) -> None:
        self._recent_ttl_ms = recent_ttl_ms
        self._records: dict[str, Record] = {}
        self._payloads: dict[str, bytes] = {}
        self._unresolved: dict[str, str] = {}  # its id, and its phone call's linkedid
        self._ended: list[tuple[int, str]] = []  # a heap: when a call ended, and its id

    def add(self, record: Record, payload: bytes) -> bool:
        """Keep `record` instead of what was known of the same call; whether it tells a new state of a call.

        `payload` is the record as the journal has it: encoding thousands anew for a checkpoint would hold up the calls.
        """
        match record:
            case Changed(call=call):
                known = self._records.get(call.call_id)
                self._records[call.call_id] = record
                self._payloads[call.call_id] = payload
                ended_at = _ended_at(record)
                if ended_at is not None and (not isinstance(known, Changed) or _ended_at(known) != ended_at):
                    heapq.heappush(self._ended, (ended_at, call.call_id))
                return not isinstance(known, Changed) or known.call.rev < call.rev
            case Unresolved(unresolved_id=unresolved_id):
                self._records[unresolved_id] = record
                self._payloads[unresolved_id] = payload
                self._unresolved[unresolved_id] = record.first_linkedid
            case Resolved(unresolved_id=unresolved_id):
                self._records.pop(unresolved_id, None)
                self._payloads.pop(unresolved_id, None)
                self._unresolved.pop(unresolved_id, None)
            case PbxSeen():
                self._records["pbx"] = record
                self._payloads["pbx"] = payload
        return False

    def forget_old(self, now: int) -> None:
        """Drop calls that ended too long ago. What is recent costs nothing here, however much it is."""
        open_calls = set(self._unresolved.values())
        waiting: list[tuple[int, str]] = []
        while self._ended and now - self._ended[0][0] > self._recent_ttl_ms:
            ended_at, key = heapq.heappop(self._ended)
            record = self._records.get(key)
            if not isinstance(record, Changed) or _ended_at(record) != ended_at:
                continue  # forgotten already, or it ended at another time and is here once more
            if record.call.first_linkedid in open_calls:
                waiting.append((ended_at, key))
            else:
                del self._records[key], self._payloads[key]
        for entry in waiting:
            heapq.heappush(self._ended, entry)

    def records(self) -> list[Record]:
        """All of them, in the order of their first appearance."""
        return list(self._records.values())

    def payloads(self) -> list[bytes]:
        """The same, as the journal has them."""
        return list(self._payloads.values())

    def calls(self) -> list[Call]:
        """The states for a notifier that knows nothing."""
        return [record.call for record in self._records.values() if isinstance(record, Changed)]


def _ended_at(record: Changed) -> int | None:
    return (record.call.ended_at or 0) if record.call.state is State.ENDED else None
