"""A list of channels against what the tracker believes: after a reconnect, a restart, or a lost event. Pure."""

from typing import TYPE_CHECKING, Final

from fastagi import transfers
from fastagi.endpoints import is_dialled_number, leg_number
from fastagi.facts import ChannelsListed, ListedChannel
from fastagi.legs import LegKind
from fastagi.switchboard import Party, chain, nobody_calls

if TYPE_CHECKING:
    from fastagi.tracker import Tracker

APART_MS: Final = 500
_CALLED: Final = frozenset({"AppDial", "AppQueue"})
"""What CoreShowChannels calls the application of a channel that Dial or Queue called (AppDial2 is an Originate's)."""
_WAITING: Final = frozenset({"Park", "Parked Call", "ParkAndAnnounce", "BridgeWait"})


def apply(tracker: "Tracker", fact: ChannelsListed, now: int) -> None:
    """Bring the tracker in step with the list, where no event since it was asked for says otherwise."""
    board = tracker.board
    listed = {row.channel.uniqueid for row in fact.rows}
    for uniqueid, party in list(board.parties.items()):
        if uniqueid in listed or party.seen_at >= fact.asked_at > 0:
            continue
        if party.missing_since is None:
            party.missing_since = fact.asked_at
        elif fact.asked_at - party.missing_since >= APART_MS:
            tracker.lose(party)
    quiet, busy = [], []
    for row in fact.rows:
        known = board.parties.get(row.channel.uniqueid)
        if known is None and board.has_ended(row.channel.uniqueid):
            continue
        if known is not None and known.seen_at >= fact.asked_at:
            known.missing_since = None
            busy.append((row, known))
            continue
        restored = known is not None and known.seen_at == 0
        seen = tracker.see(row.channel)
        if seen is not None:
            if restored:
                _moved_on(seen, row.channel.exten)
            if row.application not in _CALLED:
                seen.exten = row.channel.exten if seen.exten is None else seen.exten
                seen.queue = row.queue
            quiet.append((row, seen))
    for row, party in quiet:
        _place(tracker, row, party)
    # Events say where a busy channel is now, but not that it was dialled before AMI came up.
    for row, party in [*quiet, *busy]:
        if party.leg is None and row.application in _CALLED:
            _begin(tracker, row, party, now)
    for _, party in [*quiet, *busy]:
        if party.bridge is not None:
            tracker.answering.check(party, now)
    for call in set(board.calls.values()):
        tracker.answering.settle_announced(call.legs, now)


def _moved_on(party: Party, exten: str | None) -> None:
    """A restored caller may have been sent on to another number since his announcement ended: a transfer's target."""
    announcement = party.announcement
    if announcement is not None and not announcement.open and is_dialled_number(exten) and exten != announcement.number:
        party.announcement = party.announced = None


def _place(tracker: "Tracker", row: ListedChannel, party: Party) -> None:
    if row.bridge_id is None or row.application in _WAITING:
        tracker.board.leave(party)
    else:
        tracker.board.enter(party, row.bridge_id)
    transfers.passed_on(tracker, party)


def _begin(tracker: "Tracker", row: ListedChannel, party: Party, now: int) -> None:
    """A leg whose dial nobody saw. Its caller is the channel that its linkedid names."""
    caller = tracker.board.parties.get(party.linkedid)
    if caller is None or caller is party or nobody_calls(caller):
        return
    caller.dialled = True
    tracker.announcements.dialled(chain(caller))
    leg = tracker.begin(LegKind.DIALLED, party, caller, leg_number(party.name, row.dial_string), queue=caller.queue)
    leg.began_at = max(0, now - row.duration_ms - 1)  # it was there before the list, however short the time
    if not party.is_local:  # behind a Local channel one phone may have two legs here
        tracker.group(leg)
