"""Who is it? JWTs (RFC 7519), pinned to the algorithm of each configured key.

HS256 with ZVONOK_AUTH_SECRET, and RS256, ES256 or EdDSA with ZVONOK_AUTH_PUBLIC_KEY, by the key's own type: a token's
header never chooses a key. Claims: `sub` is the user's id (decimal string or integer), `exp` a time in seconds, `aud`
"zvonok".
"""

import time
from typing import Any, Final

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from notifier.call_rules import MAX_USER_ID
from zvonok.errors import SettingsError
from zvonok.settings import Settings

AUDIENCE: Final = "zvonok"
LEEWAY_S: Final = 5
MIN_RSA_BITS: Final = 2048
_MAX_EXP_S: Final = 32_503_680_000  # the year 3000


class Identity(msgspec.Struct, frozen=True):
    """What an accepted token says: the user's id, and when the token expires (milliseconds, Unix UTC)."""

    user_id: int
    expires_at: int


class AuthError(Exception):
    """The token is not accepted. `reason` is one word for metrics; the message is fit for the client."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Verifier:
    """Checks tokens against the configured keys."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError if there is no key, or the public key is unfit."""
        self._keys: dict[str, Any] = {}
        if settings.auth_secret is not None:
            self._keys["HS256"] = settings.auth_secret
        if settings.auth_public_key is not None:
            algorithm, key = _public_key(settings.auth_public_key)
            self._keys[algorithm] = key
        if not self._keys:
            raise SettingsError(
                ["ZVONOK_AUTH_SECRET or ZVONOK_AUTH_PUBLIC_KEY: is not set; tokens are checked with it"]
            )
        self._only = next(iter(self._keys)) if len(self._keys) == 1 else None

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms that are accepted: one for each key."""
        return frozenset(self._keys)

    def verify(self, token: str) -> Identity:
        """The token's identity. Raises AuthError."""
        try:
            # With one key PyJWT's own check of the header is enough, and reading it twice costs a third of the time.
            algorithm = self._only or str(jwt.get_unverified_header(token).get("alg"))
            key = self._keys.get(algorithm)
            if key is None:
                raise AuthError("algorithm", "the token's algorithm is not accepted")
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=AUDIENCE,
                leeway=LEEWAY_S,
                # PyJWT refuses a `sub` that is a number; ours may be, and is checked below.
                options={"require": ["exp", "sub", "aud"], "verify_sub": False, "verify_iat": False},
            )
            expires_at = int(min(float(claims["exp"]), _MAX_EXP_S) * 1000)
        except jwt.InvalidAlgorithmError:
            raise AuthError("algorithm", "the token's algorithm is not accepted") from None
        except jwt.ExpiredSignatureError:
            raise AuthError("expired", "the token has expired; get a new one") from None
        except jwt.InvalidAudienceError:
            raise AuthError("audience", f'the token is not for us: its "aud" must be "{AUDIENCE}"') from None
        except jwt.MissingRequiredClaimError as exc:
            raise AuthError("claims", f'the token lacks the claim "{exc.claim}"') from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise AuthError("invalid", "the token is not valid") from None
        return Identity(_user_id(claims["sub"]), expires_at)


def issue(secret: str, user_id: int, *, lifetime_s: float, now: float | None = None) -> str:
    """A token of the user, signed with HS256: what a CRM does for its logged-in user."""
    issued_at = int(time.time() if now is None else now)
    claims = {"sub": str(user_id), "aud": AUDIENCE, "iat": issued_at, "exp": issued_at + int(lifetime_s)}
    return jwt.encode(claims, secret, algorithm="HS256")


def _user_id(sub: object) -> int:
    if isinstance(sub, str) and sub.isascii() and sub.isdigit() and len(sub) <= 19:
        sub = int(sub)
    if isinstance(sub, int) and not isinstance(sub, bool) and 0 < sub <= MAX_USER_ID:
        return sub
    raise AuthError("claims", "the token's \"sub\" must be the user's id, a positive integer")


def _public_key(pem: str) -> tuple[str, Any]:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise SettingsError([f"ZVONOK_AUTH_PUBLIC_KEY: is not a usable PEM public key ({exc})"]) from exc
    match key:
        case RSAPublicKey():
            if key.key_size < MIN_RSA_BITS:
                raise SettingsError(
                    [f"ZVONOK_AUTH_PUBLIC_KEY: an RSA key of {key.key_size} bits is too short: {MIN_RSA_BITS} or more"]
                )
            return "RS256", key
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return "ES256", key
        case Ed25519PublicKey():
            return "EdDSA", key
    raise SettingsError(["ZVONOK_AUTH_PUBLIC_KEY: must be an RSA, a P-256 or an Ed25519 key"])
