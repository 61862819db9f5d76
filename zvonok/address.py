"""Where to listen or connect, as settings write it."""

import re

import msgspec


class Address(msgspec.Struct, frozen=True):
    """Where to listen or connect: `host:port`, or `unix:PATH` (then `path` is set and the others are empty)."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """An `Address` from `host:port`, `[v6]:port` or `unix:/path`. Raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError("unix: takes an absolute path, such as unix:/run/zvonok/intake.sock")
        return Address(path=path)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", text)
    if match is None or not 0 <= int(match[3]) <= 65535:
        raise ValueError("must be host:port with a port up to 65535, or unix:/path")
    return Address(match[1] or match[2], int(match[3]))
