"""SIP phones of the lab: real SIP and RTP over loopback, driven by a test, with a diary of what they saw.

A phone is independent of all that Zvonok knows: its diary is the truth that recordings and cards are held against.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Self

from tests.asterisk import sip
from tests.asterisk.leg import Entry, Leg
from tests.asterisk.sip import SipMessage
from tests.levels import within

REASONS = {180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved", 403: "Forbidden", 404: "Not Found"}
REASONS |= {408: "Timeout", 480: "Unavailable", 486: "Busy Here", 487: "Terminated", 488: "Not Acceptable"}
REASONS |= {503: "Unavailable", 600: "Busy", 603: "Decline"}


class Phone(asyncio.DatagramProtocol):
    """A SIP phone of the name `number`. `async with Phone("101", sip_port) as phone` registers it.

    `on_invite` decides what an incoming call meets; by default it rings. With `register=False` it is somebody
    outside, whom the PBX knows by nothing but what he sends.
    """

    def __init__(self, number: str, sip_port: int, *, register: bool = True, diary: list[Entry] | None = None) -> None:
        self.number = number
        self.legs: list[Leg] = []
        self.diary = diary if diary is not None else []
        self.on_invite: Callable[[Leg], None] = Leg.ring
        self._register = register
        self._pbx = ("127.0.0.1", sip_port)
        self._taken = 0
        self._news = asyncio.Event()
        self._waiting: dict[tuple[str, int], asyncio.Future[SipMessage]] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])
        if self._register:
            address = f"<sip:{self.number}@127.0.0.1>"
            headers = [("From", f"{address};tag={secrets.token_hex(4)}"), ("To", address), ("Expires", "3600")]
            reply = await self.request("REGISTER", "sip:127.0.0.1", headers, call_id=secrets.token_hex(8), cseq=1)
            if reply.status != 200:
                raise RuntimeError(f"the PBX did not register the phone {self.number}: {reply.start}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        for leg in self.legs:
            leg.close()
        self._transport.close()

    # What a test does with a phone.

    async def dial(self, number: str, *, caller: str | None = None, display: str = "", privacy: bool = False) -> Leg:
        """Call `number` through the PBX; gives the leg at once. `caller` and `display`: what it says of itself."""
        user = caller if caller is not None else self.number
        shown = f'"{display}" ' if display else ""
        leg = Leg(self, secrets.token_hex(10), incoming=False)
        leg.local = f"{shown}<sip:{user}@127.0.0.1:{self.port}>;tag={secrets.token_hex(4)}"
        leg.remote = f"<sip:{number}@127.0.0.1>"
        leg.target = f"sip:{number}@127.0.0.1:{self._pbx[1]}"
        if privacy:
            leg.local = f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={secrets.token_hex(4)}'
        self.legs.append(leg)
        leg.note("dials", number)
        leg.send_invite()
        return leg

    async def rings(self, timeout: float = 10) -> Leg:
        """The next incoming call not yet handed out, past or to come."""
        async with asyncio.timeout(within(timeout)):
            while True:
                incoming = [leg for leg in self.legs if leg.incoming]
                if len(incoming) > self._taken:
                    self._taken += 1
                    return incoming[self._taken - 1]
                self._news.clear()
                await self._news.wait()

    # The wire.

    def send(self, data: bytes) -> None:
        self._transport.sendto(data, self._pbx)

    async def request(
        self, method: str, uri: str, headers: list[tuple[str, str]], *, call_id: str, cseq: int, body: str = ""
    ) -> SipMessage:
        """Send a request, give its final response."""
        future: asyncio.Future[SipMessage] = asyncio.get_running_loop().create_future()
        self._waiting[call_id, cseq] = future
        self.send(self.rendered(method, uri, headers, call_id=call_id, cseq=cseq, body=body))
        return await asyncio.wait_for(future, within(10))

    def rendered(
        self,
        method: str,
        uri: str,
        headers: list[tuple[str, str]],
        *,
        call_id: str,
        cseq: int,
        body: str = "",
        branch: str | None = None,
    ) -> bytes:
        """A request of this phone as a datagram."""
        own = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch or sip.new_branch()}"),
            ("Max-Forwards", "70"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self.contact),
            ("Allow", "INVITE, ACK, CANCEL, BYE, INFO, UPDATE, REFER, NOTIFY, OPTIONS"),
            ("Supported", "replaces"),
        ]
        return sip.render(f"{method} {uri} SIP/2.0", own + headers, body)

    @property
    def contact(self) -> str:
        return f"<sip:{self.number}@127.0.0.1:{self.port}>"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = sip.parse(data)
        if message is None:
            return
        leg = next((leg for leg in self.legs if leg.call_id == message["Call-ID"]), None)
        if message.is_response:
            if message.status >= 200 and message.method != "INVITE":
                future = self._waiting.pop((message["Call-ID"], message.cseq), None)
                if future and not future.done():
                    future.set_result(message)
            elif leg:
                leg.got_response(message)
        elif leg:
            leg.got_request(message)
        elif message.method == "INVITE":
            leg = Leg(self, message["Call-ID"], incoming=True)
            self.legs.append(leg)
            leg.got_first_invite(message)
            self.on_invite(leg)
        elif message.method != "ACK":
            self.reply(message, 200 if message.method in ("OPTIONS", "NOTIFY") else 481)
        self._news.set()

    def reply(
        self,
        request: SipMessage,
        status: int,
        *,
        tag: str = "",
        headers: list[tuple[str, str]] | None = None,
        body: str = "",
    ) -> bytes:
        """Answer a request; gives the datagram, so that it can be sent again."""
        to = request["To"]
        if tag and not sip.tag_of(to):
            to = f"{to};tag={tag}"
        own = [("Via", via) for via in request.every("Via")]
        own += [("From", request["From"]), ("To", to), ("Call-ID", request["Call-ID"]), ("CSeq", request["CSeq"])]
        own.append(("Allow", "INVITE, ACK, CANCEL, BYE, INFO, UPDATE, REFER, NOTIFY"))
        if status // 100 != 3:  # a redirection brings its own
            own.append(("Contact", self.contact))
        data = sip.render(f"SIP/2.0 {status} {REASONS.get(status, 'Status')}", own + (headers or []), body)
        self.send(data)
        return data
