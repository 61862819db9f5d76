"""Calls that move: blind and attended transfers, pickup, parking. What each does to the legs it concerns. Pure."""

from typing import TYPE_CHECKING

from fastagi.endpoints import endpoint
from fastagi.facts import AttendedTransferred, BlindTransferred, Parked, PickedUp, Unparked
from fastagi.legs import LegKind
from fastagi.switchboard import Party
from zvonok.call import Reason

if TYPE_CHECKING:
    from fastagi.tracker import Tracker


def blind(tracker: "Tracker", fact: BlindTransferred) -> None:
    """The caller goes on to another extension; whoever rings there rings for the same caller."""
    transferer, transferee = tracker.see(fact.transferer, stale=True), tracker.see(fact.transferee, stale=True)
    if transferee is not None:
        transferee.announced = fact.extension or ""
        transferee.announcement = None
        transferee.queue = None
        if not transferee.is_local:
            transferee.dialled = False  # what it is announced for now is yet to be dialled
    _passes_on(tracker, transferer)


def attended(tracker: "Tracker", fact: AttendedTransferred) -> None:
    """Two calls become one: what rings or talks for the transferer's second leg does so for the transferee."""
    first, second = tracker.see(fact.first, stale=True), tracker.see(fact.second, stale=True)
    transferee = tracker.see(fact.transferee, stale=True)
    tracker.see(fact.target, stale=True)
    if fact.dest_type in ("Fail", "Threeway"):
        return
    if first is not None and second is not None:
        tracker.board.merge(first.call, second.call)
        tracker.episodes.touch_legs(first.call.legs)
    if second is not None and transferee is not None:
        for leg in second.call.legs:
            if leg.source is second and leg.party is not transferee:
                leg.source = transferee
    _passes_on(tracker, first)
    _passes_on(tracker, second)


def picked_up(tracker: "Tracker", fact: PickedUp) -> None:
    """A colleague takes what rings at another's phone; he was never dialled."""
    picker, target = tracker.see(fact.picker), tracker.board.parties.get(fact.target.uniqueid)
    if picker is None or target is None or target.leg is None or target.leg.source is None:
        return
    tracker.board.merge(picker.call, target.call)
    if picker.leg is None:
        leg, source = target.leg, target.leg.source
        number = endpoint(picker.name)
        taken = tracker.begin(LegKind.TAKEN, picker, source, number, queue=leg.queue, fallback=False)
        taken.grouped = leg.grouped


def parked(tracker: "Tracker", fact: Parked) -> None:
    """Whoever parked the caller has passed him on."""
    parkee = tracker.see(fact.parkee)
    if parkee is None or fact.parker_dial_string is None:
        return
    for leg in list(parkee.call.legs):
        if leg.party.name.startswith(fact.parker_dial_string + "-") and leg.party is not parkee:
            _passes_on(tracker, leg.party)


def unparked(tracker: "Tracker", fact: Unparked) -> None:
    """Somebody takes a parked caller; he was never dialled."""
    parkee, retriever = tracker.see(fact.parkee), tracker.see(fact.retriever)
    if parkee is None or retriever is None:
        return
    tracker.board.merge(parkee.call, retriever.call)
    if retriever.leg is None:
        tracker.begin(LegKind.TAKEN, retriever, parkee, endpoint(retriever.name), queue=None, fallback=False)


def _passes_on(tracker: "Tracker", party: Party | None) -> None:
    """Its owner has passed the call on: his leg ends as transferred as soon as it is out of the bridge."""
    if party is None or party.leg is None or not party.leg.open or party.leg.talked_at is None:
        return
    party.leg.transferred = True
    passed_on(tracker, party)


def passed_on(tracker: "Tracker", party: Party) -> None:
    """End the leg at `party` if its owner has transferred the call and it is out of the bridge."""
    leg = party.leg
    if leg is not None and leg.open and leg.transferred and party.bridge is None:
        tracker.answering.finish(leg, Reason.TRANSFERRED, tracker.now)
