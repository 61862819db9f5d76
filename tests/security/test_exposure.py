"""An administrator's mistakes, as `zvonok check` says them."""

from pathlib import Path
from typing import Any

import pytest

from zvonok.address import Address
from zvonok.check import Level
from zvonok.exposure import findings
from zvonok.settings import Settings

SECRET = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "zvonok.env"
    path.write_text(f"ZVONOK_AUTH_SECRET={SECRET}\n")
    path.chmod(0o640)
    monkeypatch.setenv("ZVONOK_ENV_FILE", str(path))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"http_listen": Address(path="/run/zvonok/http.sock"), "notifier_url": "unix:/run/zvonok/intake.sock"},
        {"ami_host": "localhost", "ami_secret": SECRET, "allowed_origins": ("https://crm.example.ru",)},
        {"notifier_url": "https://calls.example.ru:5005", "allowed_origins": ("http://localhost:3000",)},
        {"agi_listen": Address("10.0.0.1", 4573), "agi_allow": ("10.0.0.5/32",)},
    ],
)
def test_what_is_kept_in_has_nothing_to_say(changes: dict[str, Any]) -> None:
    (finding,) = findings(Settings(**changes))
    assert finding.level is Level.OK


@pytest.mark.parametrize(("changes", "says"), [
    ({"http_listen": Address("0.0.0.0", 5004)}, "ZVONOK_HTTP_LISTEN"),
    ({"intake_listen": Address("::", 5005)}, "ZVONOK_INTAKE_LISTEN"),
    ({"notifier_url": "http://10.0.0.5:5005"}, "in the clear"),
    ({"ami_host": "pbx.example.ru", "ami_secret": SECRET}, "AMI at pbx.example.ru"),
    ({"ami_secret": "amp111"}, "fewer than 16"),
    ({"ami_secret": "CHANGE-ME"}, "fewer than 16"),
    ({"agi_allow": ("127.0.0.0/8", "0.0.0.0/0")}, "ZVONOK_AGI_ALLOW names everybody"),
    ({"trusted_proxies": ("::/0",)}, "ZVONOK_TRUSTED_PROXIES names everybody"),
    ({"allowed_origins": ("http://crm.example.ru",)}, "http://crm.example.ru"),
    ({"auth_secret": SECRET, "intake_secret": SECRET}, "ZVONOK_AUTH_SECRET and ZVONOK_INTAKE_SECRET are the same"),
])  # fmt: skip
def test_each_mistake_is_one_warning_with_what_to_do(changes: dict[str, Any], says: str) -> None:
    (finding,) = findings(Settings(**changes))
    assert finding.level is Level.WARNING
    assert says in finding.says
    assert finding.todo
    assert SECRET not in finding.says + finding.todo


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o662])
def test_a_settings_file_that_others_may_read_or_change_is_a_mistake(env_file: Path, mode: int) -> None:
    env_file.chmod(mode)
    (finding,) = findings(Settings())
    assert "others may read or change it" in finding.says
    assert "chmod 0640" in (finding.todo or "")


def test_without_a_settings_file_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/nonexistent/zvonok.env", "/dev/null"):
        monkeypatch.setenv("ZVONOK_ENV_FILE", path)
        (finding,) = findings(Settings())
        assert finding.level is Level.OK
