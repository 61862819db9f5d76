"""The tracker's state to journal records and back, so that a restart in mid-call keeps each card. Pure."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from fastagi.episode import Episode, record
from fastagi.facts import Channel, ChannelsListed, Fact
from fastagi.legs import Leg, LegKind
from fastagi.records import Changed, LegRecord, PbxSeen, Record, Resolved, Unresolved
from fastagi.switchboard import Party, chain
from zvonok.call import State

if TYPE_CHECKING:
    from fastagi.tracker import Tracker


def records(tracker: "Tracker") -> list[Record]:
    """Everything that `restore` needs."""
    out: list[Record] = []
    if tracker.pbx_started is not None:
        out.append(PbxSeen(started=tracker.pbx_started))
    out += (record(episode) for episode in tracker.episodes.live.values() if episode.shown is not None)
    out += tracker.ownership.unresolved()
    return out


def restore(tracker: "Tracker", journal: Iterable[Record]) -> None:
    """Take up what the journal's records tell of calls that have not ended, or of which something is still open."""
    calls: dict[str, Changed] = {}
    pending: dict[str, Unresolved] = {}
    for entry in journal:
        if isinstance(entry, Changed):
            if entry.call.test:
                continue
            calls.pop(entry.call.call_id, None)
            calls[entry.call.call_id] = entry
        elif isinstance(entry, Unresolved):
            pending[entry.unresolved_id] = entry
        elif isinstance(entry, Resolved):
            pending.pop(entry.unresolved_id, None)
        elif isinstance(entry, PbxSeen):
            tracker.pbx_started = entry.started
    waited_for = {entry.first_linkedid for entry in pending.values()}
    live = {changed.call.first_linkedid for changed in calls.values() if changed.call.state is not State.ENDED}
    for changed in calls.values():
        closed = changed.call.state is State.ENDED and changed.call.first_linkedid not in waited_for
        if closed and changed.call.first_linkedid not in live:
            _lay_to_rest(tracker, changed)
        else:
            _restore_episode(tracker, changed, closed=closed)
    for leg in [leg for episode in tracker.episodes.live.values() for leg in episode.legs]:
        if leg.open and leg.owners:  # a leg that changed nothing on an owner's card is not in his record
            tracker.episodes.attach(leg, leg.owners)
    for unresolved in pending.values():
        _restore_unresolved(tracker, unresolved)
    entries = [entry for changed in calls.values() for entry in changed.legs]
    _link_answerers(tracker, [*entries, *(unresolved.leg for unresolved in pending.values())])


def _lay_to_rest(tracker: "Tracker", changed: Changed) -> None:
    """Of ten minutes of calls that are over hardly any has a channel left: each is taken up when one is heard of."""
    keys = {changed.call.first_linkedid}
    for leg in changed.legs:
        keys.update(key for key in (leg.uniqueid, leg.source, leg.dialled_by) if key is not None)
    for key in keys:
        tracker.asleep.setdefault(key, []).append(changed)


def wake(tracker: "Tracker", fact: Fact) -> None:
    """Take up the calls that are over and whose channels `fact` speaks of: they must not ring again."""
    woken: dict[str, Changed] = {}
    for key in _channels_of(fact):
        for changed in tracker.asleep.pop(key, ()):
            woken[changed.call.call_id] = changed
    if not woken:
        return
    for changed in woken.values():
        if changed.call.call_id not in tracker.awake:
            tracker.awake.add(changed.call.call_id)
            _restore_episode(tracker, changed, closed=True)
    _link_answerers(tracker, [entry for changed in woken.values() for entry in changed.legs])


def _channels_of(fact: Fact) -> Iterator[str]:
    if isinstance(fact, ChannelsListed):
        for row in fact.rows:
            yield row.channel.uniqueid
            yield row.channel.linkedid or ""
        return
    for name in fact.__struct_fields__:
        value = getattr(fact, name)
        if isinstance(value, Channel):
            yield value.uniqueid
            yield value.linkedid or ""
        elif isinstance(value, str):
            yield value


def _link_answerers(tracker: "Tracker", entries: Iterable[LegRecord]) -> None:
    parties = tracker.board.parties
    for entry in entries:
        if entry.answered_by is None or entry.uniqueid not in parties:
            continue
        calls = {parties[uniqueid].call for uniqueid in (entry.uniqueid, entry.answered_by) if uniqueid in parties}
        legs = {(leg.uniqueid, leg.kind): leg for call in calls for leg in call.legs}
        if (leg := legs.get((entry.uniqueid, _kind(entry)))) is not None:
            by = (legs.get((entry.answered_by, kind)) for kind in (LegKind.DIALLED, LegKind.TAKEN))
            leg.answered_by = next(filter(None, by), None)


def _restore_episode(tracker: "Tracker", changed: Changed, *, closed: bool) -> None:
    """An ended one, too: its channels may live on in another part of the phone call and must not make it ring again."""
    call = changed.call
    episode = Episode(call.call_id, call.user_id)
    episode.closed = closed
    episode.rev = call.rev
    episode.shown = msgspec.structs.replace(call, rev=0)
    episode.recorded = changed.legs
    episode.caller_number = changed.caller_number
    episode.hold_until = 0
    episode.caller = call.caller
    for entry in changed.legs:
        leg = _leg(tracker, entry, call.first_linkedid)
        leg.lent = entry.lent
        if not leg.lent:
            leg.owners = entry.owners
        leg.queue = call.line.queue
        leg.peer_number, leg.peer_name = changed.caller_number, call.caller.display
        leg.episodes.append(episode)
        episode.legs.append(leg)
    if not episode.legs:
        return
    if changed.caller_number is not None:
        episode.legs[0].call.callers[changed.caller_number] = call.caller
    if not closed:
        tracker.episodes.live[call.call_id] = episode


def _restore_unresolved(tracker: "Tracker", entry: Unresolved) -> None:
    leg = _leg(tracker, entry.leg, entry.first_linkedid)
    leg.queue = entry.queue
    leg.peer_number, leg.peer_name = entry.caller.number, entry.caller.display
    leg.answerer = entry.answered_by
    tracker.ownership.remembered(leg, entry.unresolved_id)
    tracker.ownership.resolve(leg, leg.ended_at or leg.began_at)


def _leg(tracker: "Tracker", entry: LegRecord, linkedid: str) -> Leg:
    """The leg of a record; the same one if another record of the same call has it already."""
    kind = _kind(entry)
    party = _party(tracker, entry.uniqueid, linkedid)
    if entry.channel and not party.name:
        tracker.board.rename(party, entry.channel)
    source = None
    if entry.source is not None:
        source = _party(tracker, entry.source, linkedid)
        source.dialled = source.dialled or kind is LegKind.DIALLED
    for known in party.call.legs:
        if known.uniqueid == entry.uniqueid and known.kind is kind and known.began_at == entry.began_at:
            return known
    leg = Leg(kind, party, source, entry.number, now=entry.began_at, fallback=kind is LegKind.DIALLED)
    if entry.dialled_by is not None and entry.dialled_by != entry.source:
        leg.callers = chain(_party(tracker, entry.dialled_by, linkedid))
    leg.channel_name = entry.channel
    leg.by_announcement = entry.by_announcement
    leg.talked_at, leg.ended_at = entry.talked_at, entry.ended_at
    leg.reason, leg.cause, leg.transferred = entry.reason, entry.cause, entry.transferred
    leg.call.legs.append(leg)
    if kind is LegKind.ANNOUNCED:
        party.announcement = leg
        party.announced = entry.number
    else:
        party.leg = leg
    return leg


def _kind(entry: LegRecord) -> LegKind:
    return LegKind.ANNOUNCED if entry.announced else LegKind.TAKEN if entry.taken else LegKind.DIALLED


def _party(tracker: "Tracker", uniqueid: str, linkedid: str) -> Party:
    """The channel, believed to live until two lists are without it."""
    return tracker.board.parties.get(uniqueid) or tracker.board.add(uniqueid, linkedid, 0)
