"""Forged, borrowed, old and odd tokens against a running notifier: over its WebSocket and its history."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifier.limits import Limits
from tests.notifier_server import AUTH_SECRET, Server, a_call, running, token

CRM = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = CRM.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = CRM.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
THIEF = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS: dict[str, Any] = {"sub": "1", "aud": "zvonok", "exp": 9_999_999_999}


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], key: bytes | None, *, claims: Any = CLAIMS, digest: str = "sha256") -> str:
    """A token as no library would make it; without a key it has no signature."""
    signed = f"{part(header)}.{part(claims)}"
    mac = b"" if key is None else hmac.new(key, signed.encode(), getattr(hashlib, digest)).digest()
    return signed + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def key_as_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    found: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return found


ALWAYS = {
    "no signature": by_hand({"alg": "none"}, None),
    "no signature, spelt otherwise": by_hand({"alg": "nOnE"}, None),
    "no algorithm": by_hand({}, None),
    "an algorithm that is no word": by_hand({"alg": ["HS256"]}, None),
    "an empty key": by_hand({"alg": "HS256"}, b""),
    "the public key as an HMAC secret": by_hand({"alg": "HS256"}, PEM),
    "the public key without its last line feed": by_hand({"alg": "HS256"}, PEM.strip()),
    "the public key in DER": by_hand({"alg": "HS256"}, DER),
    "a longer hash": by_hand({"alg": "HS512"}, AUTH_SECRET.encode(), digest="sha512"),
    "a key in the header": jwt.encode(CLAIMS, THIEF, algorithm="RS256", headers={"jwk": key_as_jwk(THIEF)}),
    "a key by address": jwt.encode(CLAIMS, THIEF, algorithm="RS256", headers={"jku": "http://127.0.0.1:1/keys"}),
    "a key by path": jwt.encode(CLAIMS, THIEF, algorithm="RS256", headers={"kid": "../../../../dev/null"}),
    "a padding that we don't take": jwt.encode(CLAIMS, CRM, algorithm="PS256"),
    "claims that are a list": by_hand({"alg": "HS256"}, AUTH_SECRET.encode(), claims=[1]),
    "half a token": token()[:-20],
    "a changed subject": ".".join([*token().split(".")[:1], part({**CLAIMS, "sub": "2"}), token().split(".")[2]]),
    "two tokens": token() + "." + token(),
    "unknown critical header": jwt.encode(CLAIMS, AUTH_SECRET, headers={"crit": ["b64"], "b64": False}),
}


@pytest_asyncio.fixture(scope="module", params=["secret", "public key", "both"], loop_scope="module")
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    keys = {
        "secret": {},
        "public key": {"auth_secret": None, "auth_public_key": PEM.decode()},
        "both": {"auth_public_key": PEM.decode()},
    }
    limits = Limits(failures_per_address=10_000, requests_per_address=10_000)
    async with running(limits, **keys[request.param]) as server:
        await server.post(a_call())
        yield server


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(server: Server, bad: str) -> None:
    """Neither way in lets this token in, and neither tells anything but that."""
    async with server.socket() as browser:
        await browser.send(type="auth", token=bad, tab_id="")
        message = await browser.ws.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        assert message.data == 4401
    async with server.http.get(server.users + "/api/calls", headers={"Authorization": f"Bearer {bad}"}) as response:
        assert response.status == 401
        assert (await response.json()).keys() == {"error"}


@pytest.mark.parametrize("forged", ALWAYS)
async def test_a_forged_token_opens_nothing_whichever_keys_are_set(server: Server, forged: str) -> None:
    await refused(server, ALWAYS[forged])


async def test_each_key_accepts_what_it_signed_and_the_other_key_s_tokens_only_if_it_is_set(server: Server) -> None:
    verifier = server.notifier.verifier
    for algorithm, signed in (("HS256", token()), ("RS256", jwt.encode(CLAIMS, CRM, algorithm="RS256"))):
        if algorithm in verifier.algorithms:
            async with server.socket() as browser:
                await browser.send(type="auth", token=signed, tab_id="")
                assert (await browser.receive("hello"))["user"]["id"] == 1
        else:
            await refused(server, signed)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None}, {"aud": "crm"}, {"aud": []}, {"aud": ["crm", "erp"]}, {"aud": {"zvonok": 1}}, {"aud": 7},
        {"exp": None}, {"exp": 1_700_000_000}, {"exp": "soon"}, {"exp": -1},
        {"nbf": 9_999_999_000},
        {"sub": None}, {"sub": "1 OR 1=1"}, {"sub": "1\n2"}, {"sub": ["1"]}, {"sub": 1.5},
    ],
    ids=str,
)  # fmt: skip
async def test_claims_that_are_not_for_us_or_not_for_now_are_refused(changes: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    async with running() as server:
        await refused(server, by_hand({"alg": "HS256"}, AUTH_SECRET.encode(), claims=claims))


async def test_a_token_for_several_audiences_is_for_us_too() -> None:
    async with running() as server, server.socket() as browser:
        signed = jwt.encode(CLAIMS | {"aud": ["crm", "zvonok"]}, AUTH_SECRET)
        await browser.send(type="auth", token=signed, tab_id="")
        await browser.receive("hello")


async def test_an_old_token_does_not_prolong_a_connection_and_a_shorter_one_shortens_it() -> None:
    async with running(Limits(expiry_grace=0.5)) as server, server.socket() as first, server.socket() as second:
        for browser in (first, second):
            await browser.send(type="auth", token=token(lifetime_s=600), tab_id="")
            await browser.receive("hello")
            await browser.receive("snapshot")
        await first.send(type="auth", token=token(lifetime_s=-60), tab_id="")
        assert await first.close_code() == 4401
        await second.send(type="auth", token=token(lifetime_s=1), tab_id="")
        await second.receive("hello")
        assert await second.close_code(seconds=10) == 4401


async def test_no_token_of_a_users_renews_anothers_connection_and_the_owner_s_calls_do_not_move() -> None:
    async with running() as server, server.browser(1) as owner, server.browser(2) as thief:
        await thief.send(type="auth", token=token(1), tab_id="")
        assert await thief.close_code() == 4401
        answer = await server.post(a_call())
        assert answer["delivered"] == {"c1": 1}
        assert (await owner.receive("call"))["call"]["call_id"] == "c1"


async def test_a_renewal_that_is_refused_counts_as_an_attempt_like_any_other() -> None:
    async with running(Limits(failures_per_address=2, failures_refill=0.001)) as server:
        for bad in (token(2), "guess"):
            async with server.browser(1) as browser:
                await browser.send(type="auth", token=bad, tab_id="")
                assert await browser.close_code() == 4401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused_at_the_door:
            async with server.socket():
                pass
        assert refused_at_the_door.value.status == 429
