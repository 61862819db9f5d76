"""What a restart of the tap and a new notifier need: the newest record of each live or recent call. Pure."""

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

    def add(self, record: Record, payload: bytes) -> bool:
        """Keep `record` instead of what was known of the same call; whether it tells a new state of a call.

        `payload` is the record as the journal has it: encoding thousands anew for a checkpoint would hold up the calls.
        """
        match record:
            case Changed(call=call):
                known = self._records.get(call.call_id)
                self._records[call.call_id] = record
                self._payloads[call.call_id] = payload
                return not isinstance(known, Changed) or known.call.rev < call.rev
            case Unresolved(unresolved_id=unresolved_id):
                self._records[unresolved_id] = record
                self._payloads[unresolved_id] = payload
            case Resolved(unresolved_id=unresolved_id):
                self._records.pop(unresolved_id, None)
                self._payloads.pop(unresolved_id, None)
            case PbxSeen():
                self._records["pbx"] = record
                self._payloads["pbx"] = payload
        return False

    def forget_old(self, now: int) -> None:
        """Drop calls that ended too long ago."""
        open_calls = {record.first_linkedid for record in self._records.values() if isinstance(record, Unresolved)}
        old = [
            key
            for key, record in self._records.items()
            if isinstance(record, Changed) and record.call.first_linkedid not in open_calls and self._old(record, now)
        ]
        for key in old:
            del self._records[key], self._payloads[key]

    def records(self) -> list[Record]:
        """All of them, in the order of their first appearance."""
        return list(self._records.values())

    def payloads(self) -> list[bytes]:
        """The same, as the journal has them."""
        return list(self._payloads.values())

    def calls(self) -> list[Call]:
        """The states for a notifier that knows nothing."""
        return [record.call for record in self._records.values() if isinstance(record, Changed)]

    def _old(self, record: Changed, now: int) -> bool:
        call = record.call
        return call.state is State.ENDED and now - (call.ended_at or 0) > self._recent_ttl_ms
