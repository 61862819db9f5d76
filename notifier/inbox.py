"""The inbox: the latest state of each call by user, and what its user dismissed. Pure.

Live calls stay until they end; ended ones for `recent_ttl_ms` after their end. Times are milliseconds and come in as
arguments. States are kept as the PBX sent them; whoever sends them on shifts their times (notifier/sources.py).
"""

import heapq
from collections.abc import Collection
from typing import Final

import msgspec

from zvonok.call import Call, End, Reason, State

MAX_CALLS_PER_USER: Final = 200
MAX_EARLY_DISMISSALS: Final = 64
LATE_END_MS: Final = 60_000


class Entry:
    """A call in the inbox. `sockets` is how many sockets its latest state went to; `expires_at` is set once ended.

    `before`: the PBX's last word, if we have ended the call without one.
    """

    __slots__ = ("before", "call", "expires_at", "sockets")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.before: Call | None = None
        self.expires_at: int | None = None
        self.sockets = 0


class _Box:
    """One user's calls in order of arrival, and the call_ids that he dismissed (some perhaps before they came)."""

    __slots__ = ("calls", "dismissed", "looked_at")

    def __init__(self) -> None:
        self.calls: dict[str, Entry] = {}
        self.dismissed: dict[str, int] = {}
        self.looked_at: int | None = None  # when early dismissals will be looked at, if that is due at all


class Inbox:
    """The latest states by user."""

    def __init__(self, *, recent_ttl_ms: int) -> None:
        self._recent_ttl_ms = recent_ttl_ms
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, dict[str, Entry]] = {}
        self._boxes: dict[int, _Box] = {}
        self._expiries: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, call_id: str) -> Entry | None:
        """The call as it is known, or None."""
        return self._entries.get(call_id)

    def offer(self, call: Call, *, now: int, ended_at: int | None = None) -> Entry | None:
        """Take a state. Returns its entry if it is news, None if it was known, or ended too long ago to matter.

        `ended_at`: the end by our clock (default: as the call says). The caller has made sure that a known call_id
        keeps its user and PBX.
        """
        entry = self._entries.get(call.call_id)
        if entry is not None and call.rev <= entry.call.rev:
            return None
        expires_at: int | None = None
        if call.state is State.ENDED:
            end = min(ended_at or call.ended_at or now, now)
            expires_at = end + self._recent_ttl_ms
            if expires_at <= now:
                if entry is None:
                    return None
                expires_at = now + LATE_END_MS  # the end of a call that was shown: late, but it must be told
        if entry is None:
            entry = self._entries[call.call_id] = Entry(call)
            box = self._boxes.setdefault(call.user_id, _Box())
            box.calls[call.call_id] = entry
            if len(box.calls) > MAX_CALLS_PER_USER:
                self._drop_oldest_ended(box)
        else:
            entry.call = call
        entry.before = None
        entry.expires_at = expires_at
        if expires_at is None:
            self._live.setdefault(call.pbx, {})[call.call_id] = entry
        else:
            self._no_longer_live(call)
            heapq.heappush(self._expiries, (expires_at, call.call_id))
        return entry

    def of_user(self, user_id: int) -> tuple[list[Call], list[str]]:
        """The user's calls, oldest first, and which of them he dismissed."""
        box = self._boxes.get(user_id)
        if box is None:
            return [], []
        calls = [entry.call for entry in box.calls.values()]
        return calls, [call.call_id for call in calls if call.call_id in box.dismissed]

    def end_missing(self, pbx: str, live: Collection[str], *, now: int, ended_at: int) -> list[Entry]:
        """End the live calls of `pbx` that are not in `live` as `unknown`; `ended_at` is now by the clock of that PBX.

        That is provisional: the `rev` rises by one only, so the PBX's next word on the call replaces it.
        """
        ended = []
        for call_id, entry in list(self._live.get(pbx, {}).items()):
            if call_id in live:
                continue
            call = entry.call
            over = msgspec.structs.replace(
                call, rev=call.rev + 1, state=State.ENDED, ended_at=ended_at, end=End(reason=Reason.UNKNOWN)
            )
            if (news := self.offer(over, now=now, ended_at=now)) is not None:
                news.before = call
                ended.append(news)
        return ended

    def revive(self, live: Collection[str], *, now: int) -> list[Entry]:
        """The PBX says that these live: whichever of them we have ended without its word is as it was."""
        revived = []
        for call_id in live:
            entry = self._entries.get(call_id)
            if entry is not None and entry.before is not None:
                call = msgspec.structs.replace(entry.before, rev=entry.call.rev + 1)
                if (news := self.offer(call, now=now)) is not None:
                    revived.append(news)
        return revived

    def dismiss(self, user_id: int, call_id: str, *, now: int) -> bool:
        """The user closed a card. Returns whether that is news.

        Clients repeat their dismissals after a reconnect, perhaps before the PBX has repeated its states. So one of a
        call that is not known is remembered for as long as a recent call, the last 64 of a user.
        """
        box = self._boxes.setdefault(user_id, _Box())
        if call_id in box.dismissed:
            return False
        box.dismissed[call_id] = now
        early = [known for known in box.dismissed if known not in box.calls]
        for known in early[: max(0, len(early) - MAX_EARLY_DISMISSALS)]:
            del box.dismissed[known]
        if call_id not in box.calls:
            self._look_at(user_id, box, now + self._recent_ttl_ms)
        return True

    def expire(self, *, now: int) -> int:
        """Forget what ended long enough ago. Returns how many calls that was."""
        count = 0
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            entry = self._entries.get(key)
            if entry is not None:
                if entry.expires_at is not None and entry.expires_at <= now:
                    self._forget(entry.call)
                    count += 1
            elif "/" in key:
                self._forget_early_dismissals(int(key.removesuffix("/")), now)
        return count

    def _look_at(self, user_id: int, box: _Box, at: int) -> None:
        # One look for all of a user's: he may dismiss what he likes, as often as he likes.
        if box.looked_at is None:
            box.looked_at = at
            heapq.heappush(self._expiries, (at, f"{user_id}/"))

    def _forget_early_dismissals(self, user_id: int, now: int) -> None:
        box = self._boxes.get(user_id)
        if box is None:
            return
        box.looked_at = None
        early = {call_id: at for call_id, at in box.dismissed.items() if call_id not in box.calls}
        for call_id, at in early.items():
            if at + self._recent_ttl_ms <= now:
                del box.dismissed[call_id]
            else:
                self._look_at(user_id, box, at + self._recent_ttl_ms)
        if not box.calls and not box.dismissed:
            del self._boxes[user_id]

    def _drop_oldest_ended(self, box: _Box) -> None:
        oldest = next((entry for entry in box.calls.values() if entry.expires_at is not None), None)
        if oldest is not None:
            self._forget(oldest.call)

    def _no_longer_live(self, call: Call) -> None:
        of_pbx = self._live.get(call.pbx)
        if of_pbx is not None:
            of_pbx.pop(call.call_id, None)
            if not of_pbx:
                del self._live[call.pbx]

    def _forget(self, call: Call) -> None:
        del self._entries[call.call_id]
        self._no_longer_live(call)
        box = self._boxes[call.user_id]
        del box.calls[call.call_id]
        box.dismissed.pop(call.call_id, None)
        if not box.calls and not box.dismissed:
            del self._boxes[call.user_id]
