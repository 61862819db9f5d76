"""Where the time of a call's set-up goes: each call in sections, by the packets that passed between Asterisk and us.

From the INVITE to the connection to our FastAGI server, until its request was written, until our first command, until
the connection's end, and until the 180. A call and a connection belong together if only this call was being set up when
the connection was made; the others are left out.
"""

import socket
from itertools import pairwise

from tests.benchmarks.asterisk import EXTENSIONS, RATE, place, stage
from tests.benchmarks.programs import undisturbed
from tests.benchmarks.sip_watch import Passed, packets

CALLS = 1_000
SECTIONS = (
    "Asterisk: INVITE to connecting",
    "Asterisk writes the request",
    "Zvonok: request to first command",
    "commands, answers, end",
    "Asterisk: to the 180",
)
_FIN, _SYN = 1, 2


class Connection:
    """One FastAGI session on the wire: Unix times, in seconds."""

    def __init__(self, at: float) -> None:
        self.began = self.asked = self.ended = at
        self.answered: float | None = None


class Connections:
    """All FastAGI sessions that passed, by Asterisk's port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: dict[int, Connection] = {}
        self.all: list[Connection] = []

    def saw(self, packet: bytes, at: float) -> None:
        """One IPv4 packet with TCP."""
        head = (packet[0] & 15) * 4
        source, target = int.from_bytes(packet[head : head + 2]), int.from_bytes(packet[head + 2 : head + 4])
        flags, data = packet[head + 13], packet[head + (packet[head + 12] >> 4) * 4 :]
        if flags & _SYN and target == self._port:
            self._open[source] = Connection(at)
            self.all.append(self._open[source])
        elif (session := self._open.get(source if target == self._port else target)) is not None:
            if data and source == self._port and session.answered is None:
                session.answered = at
            elif data and target == self._port and session.answered is None:
                session.asked = at  # Asterisk writes it line by line
            elif flags & _FIN and session.ended == session.began:
                session.ended = at


def profile(calls: int = CALLS) -> list[list[float]]:
    """Place so many calls and print each section at the median, at p99, and in the slowest hundredth of all calls.

    Returns the sections of each call, in milliseconds, the slowest call last.
    """
    with stage() as (pbx, agi):
        extension = list(EXTENSIONS).index("hook, name") + 1
        place(pbx, extension, max(calls // 5, 1))  # every name is remembered from here on

        def watched() -> tuple[Passed, Connections]:
            sip, sessions = Passed(), Connections(agi)
            with packets(socket.IPPROTO_UDP, pbx.ports.sip, sip.saw), packets(socket.IPPROTO_TCP, agi, sessions.saw):
                place(pbx, extension, calls)
            return sip, sessions

        sip, sessions = undisturbed(watched)
    found = sorted(divided(sip, sessions.all), key=sum)
    slowest = found[-max(1, len(found) // 100) :]
    print(f"{len(found)} of {calls} calls, {RATE}/s; ms")
    print(f"{'':34} {'p50':>7} {'p99':>7} {'in the slowest 1 %':>20}")
    rows = {name: [call[number] for call in found] for number, name in enumerate(SECTIONS)}
    for name, times in (rows | {"the whole": [sum(call) for call in found]}).items():
        in_order, last = sorted(times), len(times) - 1
        mean = sum(times[-len(slowest) :]) / len(slowest)
        print(f"{name:34} {in_order[last // 2]:>7.2f} {in_order[int(0.99 * last)]:>7.2f} {mean:>20.2f}")
    return found


def divided(sip: Passed, sessions: list[Connection]) -> list[list[float]]:
    """The sections of each call whose connection is certain, in milliseconds."""
    windows = [(at, sip.rings[call]) for call, at in sip.invites.items() if call in sip.rings]
    found = []
    for session in sessions:
        around = [window for window in windows if window[0] <= session.began <= window[1]]
        if len(around) == 1 and session.answered is not None and session.ended <= around[0][1]:
            began, rang = around[0]
            times = (began, session.began, session.asked, session.answered, session.ended, rang)
            found.append([1000 * (after - before) for before, after in pairwise(times)])
    return found
