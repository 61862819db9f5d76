"""The target in a cluster: whatever is put into the buckets, as it is heard and as it is read. No engine is needed."""

import asyncio
from typing import Any

import msgspec
from hypothesis import strategies as st

from notifier.delivery import Delivery
from notifier.hub import Hub
from notifier.intake_nats import ClusterIntake
from notifier.messages import FromServer
from notifier.metrics import Metrics
from tests.fuzz.inputs import TEXTS, damaged
from tests.fuzz.target import Target
from tests.notifier_server import a_call, settings
from zvonok.call import State, wall_ms
from zvonok.cluster.keys import call_subject, dismissal_subject, pulse_subject
from zvonok.cluster.values import CallPut, Pulse, encode

_FRAMES = msgspec.json.Decoder(FromServer)


class Put(msgspec.Struct, frozen=True):
    """One value under a key. `at`: it was kept for so many ms; None: it comes as it is put."""

    subject: str
    data: bytes
    at: int | None = None


def attack_buckets(puts: list[Put]) -> None:
    """Nothing raises, nobody is shown another's call, and the next call is taken."""

    async def attack() -> None:
        delivery = Delivery(Hub(heartbeat_s=10), recent_ttl=600, metrics=Metrics())
        intake = ClusterIntake(settings(nats_url="nats://127.0.0.1:9"), delivery, Metrics())
        for put in puts:
            if put.subject.startswith("$KV.zvonok_dismissals."):
                intake._dismissal_kept(put.subject, put.data, 0)
            else:
                intake._take(put.subject, put.data, None if put.at is None else wall_ms() - put.at)
            delivery.tick()
        for user in (1, 2):
            frame = delivery.snapshot(user)
            payload = frame[2 if frame[1] < 126 else 4 if frame[1] == 126 else 10 :]
            message = _FRAMES.decode(payload)
            assert all(call.user_id == user for call in getattr(message, "calls", []))
        after = a_call("after", user_id=3, pbx="watch")
        value = encode(CallPut(run=2**53, seq=2**53, now=wall_ms(), call=after))
        intake._take(call_subject("watch", 3, "after"), value, None)
        assert delivery.inbox.get("after") is not None

    asyncio.run(attack())


_CALLS = [a_call(), a_call("c2", user_id=2), a_call("c1", state=State.TALKING, answered_at=1, rev=wall_ms() + 5)]
_VALUES = [
    *(encode(CallPut(run=1, seq=seq, now=wall_ms(), call=call)) for seq, call in enumerate(_CALLS)),
    *(encode(Pulse(run=run, seq=9, now=1, live=live)) for run in (1, 2) for live in (None, ["c1"], [])),
    b"[" * 3_000,
    b'{"type":"call","x":' + b"[" * 3_000,
]
_SUBJECTS = [
    *(call_subject(call.pbx, call.user_id, call.call_id) for call in _CALLS),
    pulse_subject("main"),
    pulse_subject("other"),
    dismissal_subject(1, "c1"),
    dismissal_subject(2, "c.d"),
]
_PUTS = st.builds(
    Put,
    st.one_of(
        st.sampled_from(_SUBJECTS),
        TEXTS.map("$KV.zvonok.".__add__),
        TEXTS.map("$KV.zvonok_dismissals.1.".__add__),
    ),
    st.one_of(st.sampled_from(_VALUES), damaged(_VALUES, most=1)),
    st.one_of(st.none(), st.integers(0, 2**53)),
)
TARGETS: list[Target[Any]] = [Target("buckets", st.lists(_PUTS, max_size=6), attack_buckets, codec=list[Put], quick=60)]
