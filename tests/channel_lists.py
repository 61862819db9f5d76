"""What CoreShowChannels would have said at any moment of a recording, for tests that restart a tap in it."""

from fastagi.endpoints import endpoint
from fastagi.facts import Channel, ChannelsListed, Fact, ListedChannel
from fastagi.legs import LegKind
from fastagi.switchboard import Party
from tests.call_desk import START, Desk
from tests.recordings import Recording
from tests.replay import desk, message

_WHO = ("", "Dest", "Source", "Transferer", "Transferee", "SecondTransferer", "TransferTarget", "Parkee", "Target")


class PbxShadow:
    """Follows a recording without ever losing a fact, and lists the channels as they are.

    A channel's extension moves on in the dialplan; events show it, facts mostly don't, so it is read from the words.
    """

    def __init__(self, recording: Recording) -> None:
        self._desk = desk(recording)
        self._extens: dict[str, str] = {}
        self._words = [(START + int(line.t * 1000), message(line.ami).headers) for line in recording.lines if line.ami]

    def feed(self, fact: Fact, now: int) -> None:
        """The same fact that the tap under test gets, or misses."""
        self._desk.now = now - 1
        self._desk.feed(fact)

    def listed(self, now: int) -> ChannelsListed:
        """A list that is asked for and answered at `now`."""
        while self._words and self._words[0][0] <= now:
            _, headers = self._words.pop(0)
            for who in _WHO:
                if f"{who}Uniqueid" in headers and f"{who}Exten" in headers:
                    self._extens[headers[f"{who}Uniqueid"]] = headers[f"{who}Exten"]
        rows = tuple(self._row(party) for party in self._desk.tracker.board.parties.values() if party.known)
        return ChannelsListed(rows=rows, asked_at=now)

    def _row(self, party: Party) -> ListedChannel:
        leg = party.leg
        called = leg is not None and leg.kind is LegKind.DIALLED
        application = "Dial" if party.dialled else None
        dial_string = None
        if leg is not None and called:
            application = "AppQueue" if leg.queue else "AppDial"
            dial_string = f"{leg.number}@trunk" if leg.number != endpoint(party.name) else None
        return ListedChannel(
            channel=Channel(
                uniqueid=party.uniqueid,
                linkedid=party.linkedid,
                name=party.name,
                state=party.state,
                caller_number=party.caller_number,
                caller_name=party.caller_name,
                connected_number=party.connected_number,
                connected_name=party.connected_name,
                exten=self._extens.get(party.uniqueid) or None,
            ),
            application=application,
            bridge_id=party.bridge.bridge_id if party.bridge is not None else None,
            dial_string=dial_string,
        )


def resync(at: Desk, shadow: PbxShadow) -> None:
    """List now and once more, as the tap does after a login, and again while something is suspect."""
    at.feed(shadow.listed(at.now + 1))
    at.wait(600)
    at.feed(shadow.listed(at.now + 1))
    while at.tracker.suspects:
        at.wait(600)
        at.feed(shadow.listed(at.now + 1))
