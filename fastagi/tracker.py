"""The call tracker: facts and time in, changes out. Pure, and the only place that knows what a call is.

docs/tracker.md explains how it decides.
"""

from collections.abc import Callable, Iterable

from fastagi.facts import Fact
from fastagi.records import Output, Record


class Tracker:
    """Follows every call of one PBX and says what each owner's card must show.

    The tap feeds it every fact in the order of arrival, and calls `tick` about ten times a second. What comes out is to
    be handled in order: `Record`s go to the journal, `Ask`s to the directory (whose answer is fed back as a fact; a
    cached one at once), `Note`s to the trace. Nothing ever raises on account of a fact.

    A resync, which the tap drives after each `AmiUp` and about every 30 s (a Hangup may get lost):
    1. after login: feed `AmiUp`, then `PbxStarted` from CoreStatus;
    2. send CoreShowChannels (and Status with `Variables: DIALEDPEERNUMBER`), remember the time of sending as
       `asked_at`, keep feeding events as they come, and at the list's Complete event feed `ChannelsListed`;
    3. after a login, and whenever `suspects` is not zero, list once more at least 500 ms after the first: channels
       absent from both, with no event between, are given up, and their calls end as `unknown`.
    After the second list the state is in step with the PBX (`live` of the intake contract may be sent).

    `now` is always ms, Unix, never going back (one wall-clock anchor plus the monotonic clock).
    """

    def __init__(self, *, pbx: str, new_id: Callable[[], str], ring_watchdog_ms: int = 120_000) -> None:
        """`new_id` makes call ids; `ring_watchdog_ms` ends a ringing card of which nothing is heard for so long."""
        self._pbx = pbx
        self._new_id = new_id
        self._ring_watchdog_ms = ring_watchdog_ms

    def feed(self, fact: Fact, *, now: int) -> list[Output]:
        """What follows from `fact`, seen at `now`."""
        return []

    def tick(self, *, now: int) -> list[Output]:
        """What follows from time alone: watchdog, repeated lookups, announcements that nothing came of."""
        return []

    def restore(self, records: Iterable[Record]) -> None:
        """Take up the calls of an earlier run. Before the first fact; `records` in the journal's order.

        Only each call's newest `Changed` and the open `Unresolved`s matter, so a compacted journal does.
        """

    def records(self) -> list[Record]:
        """Everything that `restore` needs, as it is now: the journal's checkpoint."""
        return []

    @property
    def suspects(self) -> int:
        """Channels that the last list did not show: list again after 500 ms."""
        return 0

    @property
    def live(self) -> list[str]:
        """The `call_id`s of all calls that have not ended (for `live` of the intake contract)."""
        return []

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and skipped, by name, for the metrics."""
        return {}

    @property
    def size(self) -> int:
        """How many channels, legs, calls and remembered uniqueids are held: zero when all is over."""
        return 0
