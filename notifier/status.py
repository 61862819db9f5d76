"""`GET /intake/v1`: how the notifier stands, for `zvonok check`. Bears the intake secret, as the taps do."""

import msgspec


class PBXStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A PBX as the notifier hears it. `clock_offset_ms`: how far its clock is behind the notifier's.

    `two_taps`: batches of an older run that were dropped since the newest came; a few are late requests of a tap that
    was restarted, many are a second tap with the same ZVONOK_PBX_NAME.
    """

    name: str
    up: bool
    complete: bool
    clock_offset_ms: int
    two_taps: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The notifier: its version, its view of the database, its open sockets, and the PBXs heard since its start."""

    version: str
    database: str
    sockets: int
    pbxs: list[PBXStatus]
