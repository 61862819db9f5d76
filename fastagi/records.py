"""What the tracker says: records for the journal, questions for the directory, notes for `zvonok why`. Pure.

`Record` is what the tap appends to the journal before anything else sees it, and what `Tracker.restore` takes back.
All are a msgspec tagged union: `msgspec.json.decode(line, type=Record)`.
"""

import msgspec

from fastagi.facts import Owner
from zvonok.call import AnsweredBy, Call, Caller, Reason


class LegRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One leg of an episode, as the tracker needs it after a restart. Times are ms, Unix.

    `source` is the uniqueid of the channel for which it rings, `dialled_by` of the one that dialled it. `announced`: it
    stands for the announcement itself and has no channel of its own (`uniqueid` is then the caller's). `taken`: it
    took a ringing or parked call. `lent`: it is in this episode only until the directory says whose it is.
    `answered_by`: the channel that answered instead. `owners`: whose it is, with those whose episode it is not in this
    record.
    """

    uniqueid: str
    channel: str = ""
    source: str | None = None
    dialled_by: str | None = None
    announced: bool = False
    taken: bool = False
    number: str | None = None
    by_announcement: bool = False
    began_at: int = 0
    talked_at: int | None = None
    ended_at: int | None = None
    reason: Reason | None = None
    cause: int | None = None
    transferred: bool = False
    lent: bool = False
    answered_by: str | None = None
    owners: tuple[Owner, ...] = ()


class Changed(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="changed"):
    """A call has a new state. Publisher and history need `call` alone; the rest is for `Tracker.restore`.

    Where only the rest has changed, `call` comes again with the `rev` that it had.
    `caller_number` is the caller's number as the PBX shows it.
    """

    call: Call
    caller_number: str | None = None
    legs: tuple[LegRecord, ...] = ()


class Unresolved(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="unresolved"):
    """A leg whose owners the directory could not tell yet (or of whose call another's): it must not be lost.

    Written when the first lookup fails and again with every change, the newest of an `unresolved_id` counts, until
    `Resolved`. The tracker goes on asking for `number` even after the call has ended (and after a restart); the
    answer makes `Changed` records of it, so history gets its row.
    """

    unresolved_id: str
    first_linkedid: str
    number: str
    leg: LegRecord
    caller: Caller = Caller()
    queue: str | None = None
    answered_by: AnsweredBy | None = None


class Resolved(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="resolved"):
    """The `Unresolved` leg is settled: its `Changed` records, if it has owners, came just before. Forget it."""

    unresolved_id: str


class PbxSeen(msgspec.Struct, frozen=True, kw_only=True, tag="pbx_seen"):
    """The PBX's start time, as CoreStatus has it, changed or seen for the first time."""

    started: str


class AskOwners(msgspec.Struct, frozen=True, kw_only=True, tag="ask_owners"):
    """Who owns `number`? To be answered with `OwnersFound` or `LookupFailed`. Not for the journal.

    `caller` calls it: who that is will be asked next, unless nobody owns `number`.
    """

    ask_id: str
    number: str
    caller: str | None = None


class AskCaller(msgspec.Struct, frozen=True, kw_only=True, tag="ask_caller"):
    """Who calls from `number`? To be answered with `CallerFound` or `LookupFailed`. Not for the journal."""

    ask_id: str
    number: str


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """A decision in words, for `zvonok why`. `linkedid` is the call's `first_linkedid`. Not for the journal.

    `text` holds full numbers: for the administrator's eyes, not for logs.
    """

    linkedid: str
    uniqueid: str | None = None
    text: str


Record = Changed | Unresolved | Resolved | PbxSeen
Ask = AskOwners | AskCaller
Output = Record | Ask | Note
