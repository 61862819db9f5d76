"""The target of the settings: environment, settings file and credentials, and no secret in what is said."""

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.fuzz.inputs import TEXTS, damaged
from tests.fuzz.target import Target
from zvonok.errors import SettingsError
from zvonok.settings import PREFIX, SECRETS, load, names


class Given(msgspec.Struct, frozen=True):
    """The environment (names without prefix), the env file's bytes, and a directory of credentials."""

    environ: dict[str, str]
    env_file: bytes
    credentials: dict[str, str]


MARK = "s3cr3t-of-the-fuzzer"
OTHERS = {PREFIX + name for name in names() - SECRETS}


def attack_settings(given: Given) -> None:
    """Settings load or are refused with one error that names variables and shows no secret.

    What stands in another setting's place may be shown: nobody can tell that it is one.
    """
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="zvonok-fuzz-") as path:
        directory = Path(path)
        (directory / "env").write_bytes(given.env_file)
        (directory / "credentials").mkdir()
        for name, text in given.credentials.items():
            (directory / "credentials" / name).write_text(text, errors="replace")
        environ = {PREFIX + name: text for name, text in given.environ.items()} | {
            "ZVONOK_ENV_FILE": str(directory / "env"), "CREDENTIALS_DIRECTORY": str(directory / "credentials"),
        }  # fmt: skip
        os.chdir(directory)
        try:
            settings = load(environ, needs=["AMI_HOST", "AUTH_SECRET|AUTH_PUBLIC_KEY"])
            elsewhere = any(MARK in str(getattr(settings, name.lower())) for name in names() - SECRETS)
            shown = "" if elsewhere else repr(settings)
            assert load(settings.variables() | {"ZVONOK_ENV_FILE": os.devnull}) == settings
        except SettingsError as exc:
            shown = "\n".join(line for line in exc.problems if line.split(":")[0] not in OTHERS)
        finally:
            os.chdir(before)
    assert MARK not in shown


SECRET_TEXTS = st.builds(
    lambda head, tail: head + MARK + tail, st.sampled_from(["", "postgresql://u:", "x" * 40]), TEXTS
)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(["127.0.0.1:5004", "unix:/run/x", "10.0.0.0/8, ::1", "https://a.example", "/tmp/x",
                     "http://[::1]:5", "INFO", "5", "nan", "1e999", "http://u:p@h", "[::1]:5004", "0.0.0.0:99999", "postgresql://h/db",
                     "https://crm/{id}{kind}", "https://crm/{{id}}", "-----BEGIN PUBLIC KEY-----"]),
)  # fmt: skip


@st.composite
def givens(draw: DrawFn) -> Given:
    def some(known: list[str]) -> dict[str, str]:
        chosen = draw(st.lists(st.sampled_from(known), max_size=5, unique=True))
        return {name: draw(SECRET_TEXTS if name.upper() in SECRETS else VALUES) for name in chosen}

    environ = some([*sorted(names()), "NO_SUCH", "AUTH_SECRET_FILE", "TEST_X"])
    credentials = some([name.lower() for name in sorted(SECRETS)])
    return Given({n: v.replace("\0", "") for n, v in environ.items()}, draw(damaged(ENV_LINES, most=6)), credentials)


ENV_LINES = [
    b"ZVONOK_PBX_NAME=pbx\n", b"export ZVONOK_AMI_HOST='127.0.0.1'\n", b"# a comment\n", b"\n", b"not a setting\n",
    b'ZVONOK_AUTH_SECRET="' + MARK.encode() + b'-0123456789-0123456789"\n',
    b"ZVONOK_AMI_SECRET=" + MARK.encode() + b"\n",
    b"ZVONOK_DATABASE_URL=postgresql://u:" + MARK.encode() + b"@h/db\n", b"ZVONOK_CACHE_TTL=5\n", b"OTHER=1\n",
    b"ZVONOK_CRM_CARD_URL=https://crm/{id}\n", b"\xef\xbb\xbf", b"ZVONOK_LOG_LEVEL=${HOME}\n",
]  # fmt: skip


TARGETS: list[Target[Any]] = [
    Target("settings", givens(), attack_settings, codec=Given, quick=60),
]  # fmt: skip
