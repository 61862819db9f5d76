"""What AMI tells us, by class of event: what the PBX lets us read can be judged by that alone. Pure.

`read =` cannot be asked for: a login succeeds without it, `Events` says yes to everything, and `manager show user`
needs rights that we must not have. But listing channels is another right (`write = reporting`), so a channel that began
after our login, and of which no event told, shows that the events are kept from us.
"""

from collections.abc import Iterable
from typing import Final

from fastagi.ami_wire import Message
from fastagi.facts import ListedChannel

_PRIVILEGES: Final = ("call,all", "agent,all")  # as Asterisk spells them
_SLACK_MS: Final = 1_000  # lists tell ages in whole seconds
_QUEUE: Final = "queue"


class AmiRights:
    """Counts the events of one login by class (`call`, `agent`), and remembers which class was silent too long."""

    def __init__(self) -> None:
        self.since: int | None = None
        self._counts: dict[str, int] = {}
        self._owed: set[str] = set()

    def logged_in(self, now: int) -> None:
        """A new login: nothing is known of its rights."""
        self.since = now
        self._counts = dict.fromkeys(_PRIVILEGES, 0)
        self._owed.clear()

    def event(self, event: Message) -> None:
        """The PBX told us something. As cheap as can be: a busy PBX says a lot."""
        privilege = event.headers.get("Privilege", "")
        if privilege not in self._counts:
            privilege = privilege.partition(",")[0] + ",all"
        if privilege in self._counts:
            self._counts[privilege] += 1

    @property
    def heard(self) -> dict[str, int]:
        """How many events of each class came since the login."""
        return {privilege.removesuffix(",all"): count for privilege, count in self._counts.items()}

    def listed(self, rows: Iterable[ListedChannel], now: int) -> None:
        """The PBX's channels at `now`: what began since the login must have been told."""
        if self.since is None:
            return
        ours = now - self.since - _SLACK_MS
        for row in rows:
            if row.duration_ms < ours:
                self._owed.add("call")
                if (row.application or "").lower() == _QUEUE:
                    self._owed.add("agent")

    @property
    def missing(self) -> list[str]:
        """The classes of which something should have been heard, and nothing was."""
        heard = self.heard
        return sorted(name for name in self._owed if not heard.get(name))
