"""Settings: where they come from, that every problem is reported at once, and that no secret is ever shown."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zvonok.address import Address, parse_address
from zvonok.cluster.connection import servers
from zvonok.errors import SettingsError
from zvonok.settings import PREFIX, SECRETS, Settings, load, names

SECRET = "s3cr3t-" + "xyz" * 14


@pytest.fixture(autouse=True)
def _no_env_file_here(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.getbasetemp())


def problems(environ: dict[str, str], *, needs: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(environ, needs=needs)
    return raised.value.problems


def loaded(environ: dict[str, str]) -> Settings | list[str]:
    try:
        return load(environ)
    except SettingsError as exc:
        return exc.problems


def test_without_any_setting_the_defaults_serve_loopback_only() -> None:
    settings = load({})
    assert settings == Settings()
    assert {settings.agi_listen.host, settings.intake_listen.host, settings.http_listen.host} == {"127.0.0.1"}


def test_every_problem_is_reported_at_once_by_the_variables_name() -> None:
    found = problems(
        {
            "ZVONOK_AMI_PORT": "0",
            "ZVONOK_AGI_LISTEN": "here",
            "ZVONOK_CACHE_TTL": "soon",
            "ZVONOK_INTAKE_SECRET": "short",
            "ZVONOK_LOG_LVEL": "DEBUG",
        },
        needs=("DATABASE_URL", "AUTH_SECRET|AUTH_PUBLIC_KEY", "INTAKE_SECRET"),
    )
    assert [problem.split(":")[0] for problem in found] == [
        "ZVONOK_LOG_LVEL",
        "ZVONOK_AGI_LISTEN",
        "ZVONOK_AMI_PORT",
        "ZVONOK_CACHE_TTL",
        "ZVONOK_INTAKE_SECRET",
        "ZVONOK_DATABASE_URL",
        "ZVONOK_AUTH_SECRET or ZVONOK_AUTH_PUBLIC_KEY",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AMI_PROT", "5038", "is ZVONOK_AMI_PORT meant?"),
        ("AMI_HOST", "127.0.0.1:5038", "ZVONOK_AMI_PORT"),
        ("AMI_HOST", "http://pbx/", "host name"),
        ("AMI_PORT", "٥٠٣٨", "1 to 65535"),
        ("AMI_SECRET", "x\r\nAction: Originate", "control characters"),
        ("AGI_LISTEN", "127.0.0.1", "host:port"),
        ("AGI_LISTEN", "127.0.0.1:70000", "65535"),
        ("INTAKE_LISTEN", "unix:relative.sock", "absolute path"),
        ("AGI_ALLOW", "10.0.0.0/33", "not an IP address"),
        ("ALLOWED_ORIGINS", "https://crm.example.ru/path", "not an origin"),
        ("ALLOWED_ORIGINS", "https://u@crm.example.ru", "not an origin"),
        ("ALLOWED_ORIGINS", "https://[::1", "not an origin"),
        ("NOTIFIER_URL", "http://127.0.0.1:port", "http(s)://host:port"),
        ("NOTIFIER_URL", "ftp://x", "http(s)://host:port"),
        ("DATABASE_URL", "mysql://u:p@h/db", "postgresql://"),
        ("DATABASE_URL", "postgresql://u:100%@h/db", "%25"),
        ("DATABASE_URL", "postgresql://u:pass@word@h/db", "%40"),
        ("DATABASE_URL", "postgresql://u:pass/word@h/db", "%2F"),
        ("DATABASE_URL", "postgresql://u:pass[word@h/db", "%5B"),
        ("CRM_CARD_URL", "javascript:alert({id})", "http(s)"),
        ("CRM_CARD_URL", "https://crm/{name}", "{number}"),
        ("AUTH_SECRET", "x" * 31, "32 bytes"),
        ("INTAKE_SECRET", "x" * 31, "32 bytes"),
        ("METRICS_TOKEN", "a-short-token", "32 bytes"),
        ("AUTH_SECRET", "x" * 64, "can be guessed"),
        ("INTAKE_SECRET", "changed" * 9, "can be guessed"),
        ("NOTIFIER_URL", "http://tap:hunter22@10.0.0.5:5005", "must not hold a user or password"),
        ("TRUSTED_PROXIES", "nginx", "not an IP address or network"),
        ("AUTH_PUBLIC_KEY", "not a key", "PEM"),
        ("STATE_DIR", "var", "absolute"),
        ("LOG_LEVEL", "loud", "WARNING"),
        ("PBX_NAME", "офис", "letters"),
        ("CACHE_TTL", "nan", "1 to 86400"),
        ("RING_WATCHDOG", "1e9", "5 to 3600"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(variable: str, value: str, says: str) -> None:
    (problem,) = problems({PREFIX + variable: value})
    assert problem.startswith(f"{PREFIX}{variable}: ")
    assert says in problem


@pytest.mark.parametrize("name", ["AMI_SECREThunter2", "AUTH_SECRET 0123abcd", 'INTAKE_SECRET"hunter2"', "hunter2"])
def test_a_secret_that_became_part_of_a_name_is_not_shown(name: str) -> None:
    (problem,) = problems({PREFIX + name: "x"})
    assert "no such setting" in problem
    assert "is a = missing?" in problem
    assert "hunter2" not in problem
    assert "0123abcd" not in problem


@pytest.mark.parametrize("text", ["0123456789abcdef" * 4, "u:hunter2@host", 'AUTH_SECRET="hunter2"pbx'])
def test_a_secret_in_the_place_of_another_value_is_not_shown(text: str) -> None:
    (problem,) = problems({PREFIX + "AMI_PORT": text})
    assert problem == "ZVONOK_AMI_PORT: must be a port from 1 to 65535"


@pytest.mark.parametrize("variable", sorted(SECRETS))
def test_a_secrets_value_is_in_no_error_and_in_no_repr(variable: str) -> None:
    hostile = f"{SECRET}\x07" if variable != "DATABASE_URL" else f"postgresql://u:{SECRET}%@h/db"
    (problem,) = problems({PREFIX + variable: hostile})
    assert SECRET not in problem
    good = msgspec.structs.replace(Settings(), **{variable.lower(): SECRET})
    assert SECRET not in repr(good)
    assert variable.lower() in repr(good)


def test_the_environment_wins_over_a_credential_and_that_over_the_env_file(tmp_path: Path) -> None:
    env_file = tmp_path / "zvonok.env"
    env_file.write_text("ZVONOK_PBX_NAME=file\nZVONOK_AMI_USER=file\nexport ZVONOK_LOG_LEVEL='debug' # loud\nPATH=/x\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "zvonok_ami_user").write_text("credential\n")
    (credentials / "ami_secret").write_text("as it lies in /etc\n")
    (credentials / "unrelated").write_bytes(b"\xff")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "ZVONOK_PBX_NAME": "environment"}
    settings = load({**environ, "ZVONOK_ENV_FILE": str(env_file)})
    assert (settings.pbx_name, settings.ami_user, settings.log_level) == ("environment", "credential", "DEBUG")
    assert settings.ami_secret == "as it lies in /etc"


def test_env_file_names_the_file_to_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ZVONOK_PBX_NAME=here\n")
    (tmp_path / "zvonok.env").write_text("ZVONOK_PBX_NAME=there\n")
    assert load({}).pbx_name == "here"
    assert load({"ZVONOK_ENV_FILE": str(tmp_path / "zvonok.env")}).pbx_name == "there"


def test_an_env_file_that_was_named_and_is_missing_is_a_problem_with_its_path(tmp_path: Path) -> None:
    (problem,) = problems({"ZVONOK_ENV_FILE": str(tmp_path / "gone.env")})
    assert str(tmp_path / "gone.env") in problem
    assert "No such file" in problem


def test_a_line_of_the_env_file_that_says_nothing_is_reported_by_its_number_not_lost(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"# comment\nZVONOK_PBX_NAME=ok\nZVONOK_AMI_SECRET = '{SECRET}\n")
    (problem,) = problems({"ZVONOK_ENV_FILE": str(env_file)})
    assert "line 3" in problem
    assert SECRET not in problem


def test_an_env_file_in_another_encoding_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes("ZVONOK_PBX_NAME=офис".encode("cp1251"))
    (problem,) = problems({"ZVONOK_ENV_FILE": str(env_file)})
    assert "UTF-8" in problem


def test_a_dollar_and_a_hash_in_a_secret_are_taken_as_they_are(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    secret = "a$HOME-${PATH}#" + "zvonok" * 6
    env_file.write_text(f"ZVONOK_AUTH_SECRET={secret}\n")
    assert load({"HOME": "/root", "ZVONOK_ENV_FILE": str(env_file)}).auth_secret == secret


def test_a_variable_ending_in_file_names_the_file_that_holds_the_value(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    assert load({"ZVONOK_AUTH_SECRET_FILE": str(path)}).auth_secret == SECRET
    (problem,) = problems({"ZVONOK_AUTH_SECRET_FILE": str(tmp_path / "gone")}, needs=("AUTH_SECRET",))
    assert problem.startswith("ZVONOK_AUTH_SECRET_FILE: the file cannot be read")


def test_an_empty_value_counts_as_not_set() -> None:
    assert load({"ZVONOK_AMI_HOST": "  ", "ZVONOK_CACHE_TTL": ""}) == Settings()


def test_a_variables_hostile_name_is_shown_harmlessly() -> None:
    (problem,) = problems({"ZVONOK_\x1b[31mX\n" + "Y" * 500: "1"})
    assert problem.isprintable()
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4573", Address("127.0.0.1", 4573)),
        ("[::1]:4573", Address("::1", 4573)),
        ("pbx.example.ru:0", Address("pbx.example.ru", 0)),
        ("unix:/run/zvonok/intake.sock", Address(path="/run/zvonok/intake.sock")),
    ],
)
def test_an_address_is_read_and_written_the_same(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


def test_a_childs_environment_loads_the_same_settings_again() -> None:
    settings = Settings(
        agi_allow=("10.0.0.0/8", "::1/128"),
        allowed_origins=("https://crm.example.ru",),
        intake_listen=Address(path="/run/zvonok/intake.sock"),
        auth_secret=SECRET,
        cache_ttl=1.5,
        state_dir=Path("/tmp/state"),
    )
    assert load(settings.variables()) == settings


@given(st.dictionaries(st.sampled_from(sorted(names() | {"NO_SUCH", "AMI_SECRET_FILE"})), st.text(max_size=60)))
def test_whatever_the_environment_holds_the_answer_is_settings_or_printable_problems(raw: dict[str, str]) -> None:
    result = loaded({PREFIX + name: value for name, value in raw.items()})
    if isinstance(result, Settings):
        assert load(result.variables()) == result
    else:
        assert result
        assert all(problem.isprintable() for problem in result)


@given(st.binary(max_size=200))
def test_whatever_bytes_the_env_file_holds_nothing_but_a_settings_error_comes_out(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"ZVONOK_" + data)
        file.flush()
        assert loaded({"ZVONOK_ENV_FILE": file.name})


def test_variables_of_the_test_and_demo_tools_are_no_unknown_settings():
    load({"ZVONOK_TEST_TIME_FACTOR": "3", "ZVONOK_DEMO_CALL_EVERY": "1", "ZVONOK_LAB_ROOTS": "/x"})


@pytest.mark.parametrize(
    "url",
    [
        "nats://127.0.0.1",
        "127.0.0.1:4222",
        "http://127.0.0.1:4222",
        "nats://127.0.0.1:4222/x",
        "nats://user:p@ss@127.0.0.1:4222",
        "nats://a:4222,tls://b:4222",
        "nats://a:4222,",
        "nats://[::1:4222",
        "tls://user:pass,word@a:4222",
    ],
)
def test_a_cluster_s_address_that_is_none_is_named_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"ZVONOK_NATS_URL": url})
    assert "ZVONOK_NATS_URL: must" in str(caught.value)
    assert "ss@" not in str(caught.value)


def test_the_servers_of_a_cluster_share_the_first_one_s_account_and_every_password_is_hidden() -> None:
    url = "tls://office%40a:p%2Cssword-one@nats-1:4222,tls://nats-2:4222,tls://other:password-two@[::1]:4222"
    settings = load({"ZVONOK_NATS_URL": url})
    assert [(one.url, one.user, one.password) for one in servers(settings)] == [
        ("tls://nats-1:4222", "office@a", "p,ssword-one"),
        ("tls://nats-2:4222", "office@a", "p,ssword-one"),
        ("tls://[::1]:4222", "other", "password-two"),
    ]
    assert {"p,ssword-one", "p%2Cssword-one", "password-two"} <= set(settings.secret_texts())
    assert "password-two" not in repr(settings) + repr(servers(settings))
