"""One call of a phone of the lab: it rings, talks, transfers and ends, and writes into the phone's diary."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tests.asterisk import sip
from tests.asterisk.media import Silence
from tests.asterisk.sip import SipMessage
from tests.levels import within

if TYPE_CHECKING:
    from tests.asterisk.phones import Phone


class Entry(msgspec.Struct, frozen=True):
    """A line of a phone's diary: what happened on its `call` (counted from 1) at `time.monotonic()`."""

    at: float
    phone: str
    call: int
    what: str
    detail: str = ""


class Leg:
    """One call of one phone: rings, talks, ends. What happens to it goes into the phone's diary."""

    def __init__(self, phone: "Phone", call_id: str, *, incoming: bool) -> None:
        self.phone, self.call_id, self.incoming = phone, call_id, incoming
        self.number = len(phone.legs) + 1
        self.local = self.remote = self.target = ""
        self.shown: list[str] = []  # the other side's number as this phone's display showed it, over time
        self.ringing = self.answered = self.ended = False
        self.status = 0  # of an outgoing call: the last response
        self.referred: int | None = None  # how a REFER of ours went: the last sipfrag's status
        self._tag = secrets.token_hex(4)
        self._cseq = 1
        self._invite: SipMessage | None = None  # the incoming one, to answer
        self._branch = sip.new_branch()
        self._last_reply = b""
        self._last_ack = b""
        self._acked = False
        self._changed = asyncio.Event()
        self._media = Silence()
        self._farewell: asyncio.Task[None] | None = None

    def note(self, what: str, detail: str = "") -> None:
        self.phone.diary.append(Entry(time.monotonic(), self.phone.number, self.number, what, detail))
        self._changed.set()

    async def until(self, true: Callable[[], bool], timeout: float = 10) -> None:
        """Wait until `true()`; raises TimeoutError."""
        async with asyncio.timeout(within(timeout)):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def until_ringing(self, timeout: float = 10) -> None:
        await self.until(lambda: self.ringing or self.answered or self.ended, timeout)

    async def until_answered(self, timeout: float = 10) -> None:
        await self.until(lambda: self.answered, timeout)

    async def until_ended(self, timeout: float = 10) -> None:
        await self.until(lambda: self.ended, timeout)

    async def until_shows(self, number: str, timeout: float = 10) -> None:
        """Wait until the phone's display shows `number` as the other side."""
        await self.until(lambda: bool(self.shown) and self.shown[-1] == number, timeout)

    # An incoming call.

    def ring(self) -> None:
        """Send 180."""
        self._answer_invite(180)
        self.ringing = True
        self.note("rings", self.shown[-1] if self.shown else "")

    def progress(self) -> None:
        """Send 183 with media and never 180."""
        self._answer_invite(183, body=sip.offer(self._media.port))
        self.ringing = True
        self.note("rings", "183")

    def refuse(self, status: int, *, forward_to: str | None = None) -> None:
        """Send a final refusal, or 302 with `forward_to`."""
        headers = [("Contact", f"<sip:{forward_to}@127.0.0.1>")] if forward_to else []
        self._answer_invite(status, headers=headers)
        self.ended = True
        self.note("refuses", f"{status} {forward_to}" if forward_to else str(status))

    async def answer(self) -> None:
        """Pick up; returns when the PBX has acknowledged it."""
        self._answer_invite(200, headers=[("Content-Type", "application/sdp")], body=sip.offer(self._media.port))
        self.answered = True
        self.note("answers")
        if self._invite:
            self._media.start(self._invite.body)
        await self.until(lambda: self._acked or self.ended)

    def _answer_invite(self, status: int, *, headers: list[tuple[str, str]] | None = None, body: str = "") -> None:
        if self._invite is None:
            raise RuntimeError("only an incoming call can be answered")
        if body and not headers:
            headers = [("Content-Type", "application/sdp")]
        self._last_reply = self.phone.reply(self._invite, status, tag=self._tag, headers=headers, body=body)

    def got_first_invite(self, message: SipMessage) -> None:
        self._invite = message
        self.local = f"{message['To']};tag={self._tag}"
        self.remote = message["From"]
        self.target = sip.uri_of(message["Contact"])
        self._show(message)

    # Either side, within the call.

    async def hangup(self) -> None:
        """End it: BYE, CANCEL, or a refusal, whichever fits."""
        if self.ended:
            return
        if self.incoming and not self.answered:
            self.refuse(486)
        elif not self.answered:
            self.note("cancels")
            headers = [("From", self.local), ("To", self.remote.split(";tag=")[0])]
            self.phone.send(
                self.phone.rendered(
                    "CANCEL", self.target, headers, call_id=self.call_id, cseq=self._cseq, branch=self._branch
                )
            )
            await self.until_ended()
        else:
            self._end("hangs up")
            await self._request("BYE")

    async def refer(self, number: str, *, replaces: "Leg | None" = None) -> None:
        """Transfer the other side to `number`: blind, or attended when it `replaces` a call of ours."""
        target = f"sip:{number}@127.0.0.1"
        if replaces:
            to, own = sip.tag_of(replaces.remote), sip.tag_of(replaces.local)
            target += f"?Replaces={replaces.call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{own}"
        self.note("transfers", number)
        reply = await self._request("REFER", [("Refer-To", f"<{target}>"), ("Referred-By", self.local.split(";")[0])])
        if reply.status >= 300:
            raise RuntimeError(f"the PBX refused to transfer to {number}: {reply.start}")

    async def press(self, digits: str, *, pause: float = 0.15) -> None:
        """Press keys (DTMF by SIP INFO)."""
        self.note("presses", digits)
        for digit in digits:
            body = f"Signal={digit}\r\nDuration=100\r\n"
            await self._request("INFO", [("Content-Type", "application/dtmf-relay")], body)
            await asyncio.sleep(pause)

    async def hold(self, on: bool = True) -> None:
        """Hold the other side, or take it back."""
        self.note("holds" if on else "unholds")
        self._cseq += 1
        self._branch = sip.new_branch()
        cseq = self._cseq
        self.send_invite(body=sip.offer(self._media.port, mode="sendonly" if on else "sendrecv"))
        await self.until(lambda: bool(self._last_ack) and f"CSeq: {cseq} ACK".encode() in self._last_ack)

    async def _request(self, method: str, headers: list[tuple[str, str]] | None = None, body: str = "") -> SipMessage:
        self._cseq += 1
        own = [("From", self.local), ("To", self.remote), *(headers or [])]
        return await self.phone.request(method, self.target, own, call_id=self.call_id, cseq=self._cseq, body=body)

    def send_invite(self, body: str | None = None) -> None:
        headers = [("From", self.local), ("To", self.remote), ("Content-Type", "application/sdp")]
        self.phone.send(
            self.phone.rendered(
                "INVITE",
                self.target,
                headers,
                call_id=self.call_id,
                cseq=self._cseq,
                body=body or sip.offer(self._media.port),
                branch=self._branch,
            )
        )

    def got_request(self, message: SipMessage) -> None:
        phone, method = self.phone, message.method
        if method == "ACK":
            self._acked = True
            self._changed.set()
        elif method == "INVITE" and self._invite and message.cseq == self._invite.cseq:
            phone.send(self._last_reply)  # Asterisk sent its first INVITE again
        elif method in ("INVITE", "UPDATE"):
            self._show(message)
            body = sip.offer(self._media.port) if message.body or method == "INVITE" else ""
            headers = [("Content-Type", "application/sdp")] if body else []
            phone.reply(message, 200, tag=self._tag, headers=headers, body=body)
        elif method == "CANCEL":
            phone.reply(message, 200, tag=self._tag)
            if not self.answered and not self.ended:
                self._answer_invite(487)
                self._end("stops ringing", message["Reason"])
        elif method == "BYE":
            phone.reply(message, 200, tag=self._tag)
            if not self.ended:
                self._end("is hung up")
        elif method == "NOTIFY":
            phone.reply(message, 200, tag=self._tag)
            if message["Event"].startswith("refer"):
                self.referred = int(message.body.split(" ", 2)[1])
                self.note("hears of its transfer", str(self.referred))
                if 200 <= self.referred < 300 and not self.ended:
                    self._farewell = asyncio.create_task(self.hangup())  # as a desk phone does
        else:
            phone.reply(message, 200, tag=self._tag)

    def got_response(self, message: SipMessage) -> None:
        if message.method != "INVITE":
            return
        self._show(message)
        if 100 < message.status < 300:
            self.remote = message["To"]  # an early dialog has its tag already
        if message.status >= 200:
            if message.status < 300:
                self.target = sip.uri_of(message["Contact"]) or self.target
            branch = None if message.status < 300 else self._branch
            headers = [("From", self.local), ("To", message["To"])]
            self._last_ack = self.phone.rendered(
                "ACK", self.target, headers, call_id=self.call_id, cseq=message.cseq, branch=branch
            )
            self.phone.send(self._last_ack)
        if message.body:
            self._media.start(message.body)
        if self.answered or self.ended:
            self._changed.set()
            return
        self.status = message.status
        if 180 <= message.status < 200 and not self.ringing:
            self.ringing = True
            self.note("hears ringing", str(message.status))
        elif 200 <= message.status < 300:
            self.answered = True
            self.note("is answered")
        elif message.status >= 300:
            self._end("is refused", str(message.status))

    def _show(self, message: SipMessage) -> None:
        shown = sip.user_of(message["P-Asserted-Identity"] or ("" if message.is_response else message["From"]))
        if shown and (not self.shown or self.shown[-1] != shown):
            self.shown.append(shown)
            if len(self.shown) > 1:
                self.note("shows", shown)

    def _end(self, what: str, detail: str = "") -> None:
        self.ended = True
        self._media.stop()
        self.note(what, detail)

    def close(self) -> None:
        """Forget it without a word to the PBX."""
        self._media.stop()
        if self._farewell:
            self._farewell.cancel()
