"""Who may do what in the cluster: operate/nats-server.conf, on real servers with TLS."""

import asyncio
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from fastagi.publisher import Link
from tests.cluster.certificates import Authority
from tests.cluster.engine import Engine, engine
from tests.cluster.test_following import Pbx, following, until
from tests.levels import within
from tests.notifier_server import a_call
from tests.notifiers import ROOT
from zvonok.call import wall_ms
from zvonok.check import Level
from zvonok.cluster.check import findings
from zvonok.cluster.keys import CALLS, call_subject, dismissal_subject, pulse_subject
from zvonok.cluster.values import CallPut, encode
from zvonok.settings import load

PASSWORDS = {
    "office-a": "password-of-office-a",
    "office-b": "password-of-office-b",
    "notifier": "password-of-notifier",
    "admin": "password-of-admin",
}
INBOXES = {"office-a": "_INBOX.zvonok.pbx.office-a", "notifier": "_INBOX.zvonok.notifier"}
API = "$JS.API"


class Secured:
    """Three servers as the example has them."""

    def __init__(self, engine: Engine, authority: Authority, home: Path) -> None:
        self.engine, self.authority, self.home = engine, authority, home

    def url(self, user: str | None, password: str | None = None, scheme: str = "tls") -> str:
        """ZVONOK_NATS_URL of this account."""
        who = f"{user}:{password or PASSWORDS[user]}@" if user else ""
        first, *others = (f"127.0.0.1:{node.port}" for node in self.engine.nodes)
        return ",".join([f"{scheme}://{who}{first}", *(f"{scheme}://{other}" for other in others)])

    def as_account(self, user: str | None, **changes: str) -> Any:
        """What `Pbx` and `following` need of an engine."""
        secured = self

        class Account:
            url = secured.url(user, **changes)

        return Account()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    home = tmp_path_factory.mktemp("secured")
    authority = Authority(home / "pki")
    example = (ROOT / "operate" / "nats-server.conf").read_text()

    def rewrite(directory: Path, port: int, route: int, routes: Sequence[int]) -> str:
        text = example.replace("server_name: nats-1", f"server_name: {directory.name}")
        for old, new in {
            "0.0.0.0:4222": f"127.0.0.1:{port}",
            "0.0.0.0:6222": f"127.0.0.1:{route}",
            "/etc/nats/ca.pem": str(authority.ca),
            "/etc/nats/server.pem": str(authority.certificate),
            "/etc/nats/server-key.pem": str(authority.key),
            "/var/lib/nats": str(directory / "store"),
            **{f"nats-{n}.example.ru:6222": f"127.0.0.1:{there}" for n, there in enumerate(routes, start=1)},
        }.items():
            assert old in text, old
            text = text.replace(old, new)
        return text

    variables = {f"{user.upper().replace('-', '_')}_PASSWORD": password for user, password in PASSWORDS.items()}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        with engine(3, rewrite=rewrite) as running:
            yield Secured(running, authority, home)
    shutil.rmtree(home, ignore_errors=True)


class Account:
    """A client of one account. `denied`: what it was told that it may not do."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.denied: list[str] = []

    async def heard(self, error: Exception) -> None:
        self.denied.append(str(error))

    async def may_publish(self, subject: str, data: bytes = b"", reply: str = "") -> bool:
        """Whether the server takes it."""
        await self.client.publish(subject, data, reply=reply)
        return not await self._denies(f'publish to "{subject}"')

    async def may_subscribe(self, subject: str) -> bool:
        """Whether the server would tell it."""
        await self.client.subscribe(subject)
        return not await self._denies(f'subscription to "{subject}"')

    async def _denies(self, what: str) -> bool:
        """A refusal comes by itself, soon after the answer to a ping."""
        await self.client.flush(timeout=within(5))
        for _ in range(15):
            if any(what.lower() in said.lower() for said in self.denied):
                return True
            await asyncio.sleep(within(0.02))
        return False


async def account(secured: Secured, user: str) -> Account:
    """A client that has logged in."""
    made = Account(Client())
    await made.client.connect(
        servers=[f"tls://127.0.0.1:{secured.engine.nodes[0].port}"],
        user=user, password=PASSWORDS[user], error_cb=made.heard, inbox_prefix=INBOXES.get(user, "_INBOX"),
        tls=ssl.create_default_context(cafile=str(secured.authority.ca)), allow_reconnect=False,
    )  # fmt: skip
    return made


@pytest.fixture
async def buckets(secured: Secured) -> AsyncIterator[None]:
    """Both buckets are there: a notifier with its account has made them."""
    async with following(secured.as_account("notifier"), nats_ca=secured.authority.ca):
        yield


async def test_a_pbx_and_a_notifier_do_their_work_with_the_rights_they_have(secured: Secured) -> None:
    ca = secured.authority.ca
    async with (
        following(secured.as_account("notifier"), nats_ca=ca) as one,
        following(secured.as_account("notifier"), nats_ca=ca) as two,
        Pbx(secured.as_account("office-a"), "office-a", nats_ca=ca).publishing() as pbx,
        one.browser() as here,
        two.browser() as there,
    ):
        call = pbx.change(a_call("a", pbx="office-a"))
        for browser in (here, there):
            while (message := await browser.receive(seconds=5))["type"] != "call":
                pass
            assert message["call"]["call_id"] == "a"
        await pbx.stored()
        await here.send(type="dismiss", call_id=call.call_id)
        while (message := await there.receive())["type"] != "dismissed":
            pass


def _put(call_id: str, pbx: str) -> bytes:
    return encode(CallPut(run=1, seq=1, now=wall_ms(), call=a_call(call_id, pbx=pbx)))


async def test_a_pbx_puts_its_own_keys_and_does_nothing_else(secured: Secured, buckets: None) -> None:
    pbx = await account(secured, "office-a")
    assert await pbx.may_publish(pulse_subject("office-a"))
    assert await pbx.may_publish(call_subject("office-a", 1, "x"))
    for subject in (
        pulse_subject("office-b"),
        call_subject("office-b", 1, "x"),
        "$KV.zvonok.office-a-b.1.x",
        dismissal_subject(1, "x"),
        f"{API}.STREAM.DELETE.KV_{CALLS}",
        f"{API}.STREAM.INFO.KV_{CALLS}",
        f"{API}.STREAM.MSG.DELETE.KV_{CALLS}",
        f"{API}.DIRECT.GET.KV_{CALLS}",
        f"{API}.CONSUMER.CREATE.KV_{CALLS}",
    ):
        assert not await pbx.may_publish(subject), subject
    for subject in ("$KV.zvonok.>", "$KV.zvonok.office-a.>", ">", "_INBOX.>", "_INBOX.zvonok.notifier.>"):
        assert not await pbx.may_subscribe(subject), subject
    assert await pbx.may_subscribe("_INBOX.zvonok.pbx.office-a.x")
    await pbx.client.close()


async def test_a_notifier_reads_everything_and_puts_no_call(secured: Secured, buckets: None) -> None:
    notifier = await account(secured, "notifier")
    for subject in ("$KV.zvonok.>", "$KV.zvonok_dismissals.>", "_INBOX.zvonok.notifier.x"):
        assert await notifier.may_subscribe(subject), subject
    assert await notifier.may_publish(dismissal_subject(1, "x"))
    for subject in (
        pulse_subject("office-a"),
        call_subject("office-a", 1, "x"),
        f"{API}.STREAM.DELETE.KV_{CALLS}",
        f"{API}.STREAM.UPDATE.KV_{CALLS}",
        f"{API}.STREAM.PURGE.KV_{CALLS}",
        f"{API}.STREAM.CREATE.another",
        f"{API}.CONSUMER.CREATE.KV_{CALLS}",
        f"{API}.STREAM.SNAPSHOT.KV_{CALLS}",
    ):
        assert not await notifier.may_publish(subject), subject
    for subject in (">", "_INBOX.>", "_INBOX.zvonok.pbx.office-a.>", "$SYS.>"):
        assert not await notifier.may_subscribe(subject), subject
    await notifier.client.close()


async def test_an_answer_that_is_led_to_a_call_s_key_shows_nobody_anything(secured: Secured, buckets: None) -> None:
    """The server does not ask who may write to a reply's subject, so a notifier can have JetStream write to any key."""
    notifier = await account(secured, "notifier")
    async with following(secured.as_account("notifier"), nats_ca=secured.authority.ca) as server:
        key = call_subject("office-a", 1, "forged")
        forged = _put("forged", "office-a")
        assert await notifier.may_publish(dismissal_subject(1, "forged"), forged, reply="_INBOX.zvonok.notifier.x")
        body = json.dumps({"last_by_subj": dismissal_subject(1, "forged")}).encode()
        await notifier.may_publish(f"{API}.DIRECT.GET.KV_zvonok_dismissals", body, reply=key)
        await notifier.may_publish(f"{API}.STREAM.INFO.KV_zvonok", b"", reply=key)
        await asyncio.sleep(within(1.5))
        assert server.notifier.delivery.inbox.get("forged") is None
    await notifier.client.close()


@pytest.mark.parametrize(
    ("user", "changes"),
    [("office-a", {"password": "wrong-password-of-office-a"}), ("office-a", {"scheme": "nats"}), (None, {})],
    ids=["wrong password", "without TLS", "without an account"],
)
async def test_whoever_has_no_right_to_is_not_let_in(
    secured: Secured, user: str | None, changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    pbx = Pbx(secured.as_account(user, **changes), "office-a", nats_ca=secured.authority.ca)
    async with pbx.publishing():
        await until(lambda: pbx.publisher.link in (Link.UNAUTHORIZED, Link.UNREACHABLE), "refused")
        assert pbx.publisher.link is Link.UNAUTHORIZED or "scheme" in changes
    assert "wrong-password" not in caplog.text


async def test_a_server_of_another_authority_is_told_no_password(secured: Secured, tmp_path: Path) -> None:
    pbx = Pbx(secured.as_account("office-a"), "office-a", nats_ca=Authority(tmp_path / "other").ca)
    async with pbx.publishing():
        await until(lambda: pbx.publisher.link is Link.UNAUTHORIZED, "refused by us")


async def test_check_finds_a_cluster_well_and_says_what_is_not(secured: Secured, buckets: None) -> None:
    variables = {
        "ZVONOK_ENV_FILE": os.devnull,
        "ZVONOK_NATS_URL": secured.url("notifier"),
        "ZVONOK_NATS_CA": str(secured.authority.ca),
    }

    def levels(**changes: str) -> dict[str, Level]:
        return {found.what: found.level for found in findings(load(variables | changes))}

    well = await asyncio.to_thread(levels)
    assert well == {"NATS": Level.OK, "bucket zvonok": Level.OK, "bucket zvonok_dismissals": Level.OK}
    longer = await asyncio.to_thread(lambda: levels(ZVONOK_RECENT_TTL="3600"))
    assert longer["bucket zvonok"] is Level.WARNING
    pbx = {"ZVONOK_NATS_URL": secured.url("office-a"), "ZVONOK_AMI_HOST": "127.0.0.1", "ZVONOK_PBX_NAME": "office-a"}
    assert await asyncio.to_thread(lambda: levels(**pbx)) == {"NATS": Level.OK, "buckets": Level.SKIPPED}
    wrong = await asyncio.to_thread(lambda: levels(ZVONOK_NATS_URL=secured.url("notifier", "wrong-password-here")))
    assert wrong == {"NATS": Level.FAILED}
    nowhere = await asyncio.to_thread(lambda: levels(ZVONOK_NATS_CA="/nowhere.pem"))
    assert nowhere["NATS"] is Level.FAILED
