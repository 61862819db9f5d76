"""The command: what it exits with, and that each process loads only its own side."""

import subprocess
import sys
from types import ModuleType

import pytest

from zvonok import cli
from zvonok.errors import SettingsError, ZvonokError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command `probe` whose `run` the test replaces."""
    module = ModuleType("zvonok_probe")
    module.add_arguments = lambda parser: parser.add_argument("--fast", action="store_true")  # type: ignore[attr-defined]
    module.run = lambda args: 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zvonok_probe", module)
    monkeypatch.setitem(cli.COMMANDS, "probe", ("zvonok_probe", "a probe"))
    return module


@pytest.mark.parametrize(
    ("error", "code"),
    [(ZvonokError("mend it"), 1), (SettingsError(["ZVONOK_X: mend it"]), 2), (KeyboardInterrupt(), 130)],
)
def test_an_error_is_one_message_and_its_exit_code(
    command: ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    def run(args: object) -> int:
        raise error

    command.run = run  # type: ignore[attr-defined]
    assert cli.main(["probe"]) == code
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert code == 130 or "mend it" in err


def test_what_a_command_returns_is_what_the_shell_sees(command: ModuleType) -> None:
    command.run = lambda args: 7 if args.fast else 0  # type: ignore[attr-defined]
    assert cli.main(["probe", "--fast"]) == 7


def test_no_command_at_all_lists_the_commands_and_exits_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "testcall" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["probe", "--slow"]])
def test_wrong_usage_exits_two(command: ModuleType, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(arguments)
    assert raised.value.code == 2


def test_help_names_every_command_and_loads_neither_side() -> None:
    script = (
        "import sys; from zvonok.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('fastagi', 'notifier', 'aiohttp', 'psycopg')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"    {name} " in done.stdout for name in cli.COMMANDS)


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = (
        "import sys, types; from zvonok import cli\n"
        "m = types.ModuleType('many'); m.add_arguments = lambda p: None\n"
        "m.run = lambda a: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "sys.modules['many'] = m; cli.COMMANDS['many'] = ('many', 'many lines')\n"
        "sys.exit(cli.main(['many']))"
    )
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" | head -1', "sh", sys.executable, script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
