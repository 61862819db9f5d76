"""SIP messages (RFC 3261) and the little SDP that a phone of the lab needs, as text in and text out."""

import re
import secrets

import msgspec


class SipMessage(msgspec.Struct, frozen=True):
    """A request or a response: its start line, its headers in order, its body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def __getitem__(self, name: str) -> str:
        """The first value of header `name`; "" if it is absent."""
        return next((value for header, value in self.headers if header.lower() == name.lower()), "")

    def every(self, name: str) -> list[str]:
        """All values of header `name`, in order."""
        return [value for header, value in self.headers if header.lower() == name.lower()]

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        """The status code of a response."""
        return int(self.start.split(" ", 2)[1])

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        return self["CSeq"].split()[-1]

    @property
    def cseq(self) -> int:
        return int(self["CSeq"].split()[0])


def parse(data: bytes) -> SipMessage | None:
    """One datagram; None if it is a keep-alive or no SIP."""
    head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
    lines = head.split("\r\n")
    if "SIP/2.0" not in lines[0]:
        return None
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.append((name.strip(), value.strip()))
    return SipMessage(lines[0], tuple(headers), body)


def render(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    """One datagram from its parts."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


def tag_of(address: str) -> str:
    """The tag of a From or To header; "" if it has none."""
    found = re.search(r";\s*tag=([^;\s]+)", address)
    return found[1] if found else ""


def uri_of(address: str) -> str:
    """The URI of a name-addr: `"A" <sip:b@c>;tag=d` -> `sip:b@c`."""
    bare = re.sub(r'^\s*"(?:[^"\\]|\\.)*"', "", address)  # the display name may hold anything
    found = re.search(r"<([^>]+)>", bare)
    return found[1] if found else bare.split(";")[0].strip()


def user_of(address: str) -> str:
    """The user part of an address's URI."""
    found = re.match(r"sips?:([^@;>]+)@", uri_of(address))
    return found[1] if found else ""


def new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


def offer(port: int, *, mode: str = "sendrecv") -> str:
    """An SDP body: PCMU on 127.0.0.1:`port`."""
    lines = ["v=0", "o=lab 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", f"a={mode}", ""]
    return "\r\n".join(lines)


def media_port(body: str) -> int | None:
    """The audio port of an SDP body."""
    found = re.search(r"(?m)^m=audio (\d+)", body)
    return int(found[1]) if found else None
