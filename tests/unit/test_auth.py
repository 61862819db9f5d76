"""Tokens: pinned algorithms, unfit keys."""

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from notifier.auth import AuthError, Verifier, issue
from tests.notifier_server import AUTH_SECRET, settings
from zvonok.errors import SettingsError
from zvonok.settings import load

CLAIMS = {"sub": "7", "aud": "zvonok", "exp": 9_999_999_999}
KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_kind_of_public_key_accepts_its_own_algorithm_only(algorithm: str) -> None:
    verifier = Verifier(settings(auth_secret=None, auth_public_key=pem(KEYS[algorithm])))
    for other, key in KEYS.items():
        signed = jwt.encode(CLAIMS, key, algorithm=other)
        if other == algorithm:
            assert verifier.verify(signed).user_id == 7
        else:
            with pytest.raises(AuthError):
                verifier.verify(signed)


def test_a_public_key_is_no_hmac_secret() -> None:
    public = pem(KEYS["RS256"])
    verifier = Verifier(settings(auth_secret=None, auth_public_key=public))
    forged = jwt.api_jws.PyJWS().encode(b"{}", b"x" * 32, algorithm="HS256")
    with pytest.raises(AuthError, match="algorithm"):
        verifier.verify(forged)


def test_with_both_keys_each_signs_with_its_own() -> None:
    verifier = Verifier(settings(auth_public_key=pem(KEYS["EdDSA"])))
    assert verifier.verify(issue(AUTH_SECRET, 5, lifetime_s=60)).user_id == 5
    assert verifier.verify(jwt.encode(CLAIMS, KEYS["EdDSA"], algorithm="EdDSA")).user_id == 7


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(public_exponent=65537, key_size=1024), ec.generate_private_key(ec.SECP384R1())]
)
def test_an_unfit_public_key_stops_the_start(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(SettingsError, match="ZVONOK_AUTH_PUBLIC_KEY"):
        Verifier(settings(auth_public_key=pem(key)))
    with pytest.raises(SettingsError, match="ZVONOK_AUTH_PUBLIC_KEY"):
        Verifier(settings(auth_public_key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"))


def test_without_a_key_nothing_starts() -> None:
    with pytest.raises(SettingsError, match="ZVONOK_AUTH_SECRET"):
        Verifier(settings(auth_secret=None))


def test_a_private_key_in_place_of_the_public_one_is_refused_and_not_shown() -> None:
    private = (
        KEYS["RS256"]
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    with pytest.raises(SettingsError) as refused_key:
        load({"ZVONOK_AUTH_PUBLIC_KEY": private})
    assert private[100:140] not in str(refused_key.value)


@pytest.mark.parametrize("sub", ["", "0", "-1", "1.0", "1 ", "٣", "9" * 20, True, 1.0, None, [1], {"a": 1}, 2**63])
def test_a_sub_that_is_no_user_id_is_refused(sub: object) -> None:
    verifier = Verifier(settings())
    with pytest.raises(AuthError):
        verifier.verify(jwt.encode({**CLAIMS, "sub": sub}, AUTH_SECRET))


@pytest.mark.parametrize("exp", ["x", None, True, -1, float("inf"), float("nan"), [], 10**400])
def test_an_odd_expiry_is_refused_or_far_but_never_a_crash(exp: object) -> None:
    verifier = Verifier(settings())
    try:
        signed = jwt.encode({**CLAIMS, "exp": exp}, AUTH_SECRET)
    except (TypeError, ValueError, OverflowError):
        pytest.skip("this cannot even be signed")
    try:
        identity = verifier.verify(signed)
    except AuthError:
        return
    assert identity.expires_at < 2**53


@given(st.text() | st.from_regex(r"[\w-]{1,40}\.[\w-]{1,40}\.[\w-]{0,40}"))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(AuthError):
        Verifier(settings()).verify(text)
