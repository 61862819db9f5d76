"""The client as a package: unit tests of the pure parts, types, contents."""

import shutil
import tarfile
from pathlib import Path

import pytest

from tests.browser.packages import CLIENT, HERE, node_modules, packed_client, run
from tests.levels import unavailable

__all__ = ["node_modules", "packed_client"]


def test_the_pure_parts_pass_their_own_tests() -> None:
    if shutil.which("node") is None:
        unavailable("Node.js is not installed: sudo make test-tools, or install Node.js 20 or newer")
    files = sorted(str(file) for file in (HERE / "unit").glob("*.test.js"))
    assert len(files) >= 10
    done = run("node", "--test", *files, cwd=HERE)
    assert done.returncode == 0, done.stdout


def test_the_types_are_right(node_modules: Path) -> None:
    done = run("node", str(node_modules / "typescript/bin/tsc"), "--project", ".", "--noEmit", cwd=HERE)
    assert done.returncode == 0, done.stdout


def test_the_shipped_declarations_are_those_of_the_sources(node_modules: Path, tmp_path: Path) -> None:
    tsc = str(node_modules / "typescript/bin/tsc")
    done = run("node", tsc, "--project", "tsconfig.types.json", "--outDir", str(tmp_path), cwd=HERE)
    assert done.returncode == 0, done.stdout
    made = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*.d.ts")}
    types = CLIENT / "types"
    shipped = {str(file.relative_to(types)): file.read_text() for file in types.rglob("*.d.ts")}
    assert made.keys() == shipped.keys(), "run: make client-types"
    assert [name for name in made if made[name] != shipped[name]] == [], "run: make client-types"


def test_a_typescript_application_finds_the_types(node_modules: Path, packed_client: Path, tmp_path: Path) -> None:
    with tarfile.open(packed_client) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (tmp_path / "unpacked" / "package").rename(modules / "zvonok-client")
    (modules / "@types").symlink_to(node_modules / "@types")
    (modules / "csstype").symlink_to(node_modules / "csstype")
    good = """
        import { createCallClient } from 'zvonok-client';
        import 'zvonok-client/element';
        import { CallNotification, useCallNotifications } from 'zvonok-client/react';
        const client = createCallClient({ getToken: async () => 'x', lang: 'ru', maxVisible: 2 });
        const names: (string | null)[] = client.getState().calls.map((call) => call.caller.name);
        export function Header() {
          const { primary, dismiss } = useCallNotifications({ getToken: () => 'x', user: 5 });
          if (primary) dismiss(primary.call_id);
          return CallNotification({ getToken: () => 'x', onOpen: (call, event) => event.preventDefault() });
        }
        export default names;
    """
    bad = """
        import { createCallClient } from 'zvonok-client';
        createCallClient({});
        createCallClient({ getToken: () => 5 });
        createCallClient({ getToken: () => 'x' }).getState().calls[0].state === 'answered';
    """
    (tmp_path / "good.ts").write_text(good)
    (tmp_path / "bad.ts").write_text(bad)
    flags = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    tsc = str(node_modules / "typescript/bin/tsc")
    done = run("node", tsc, *flags, "good.ts", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    done = run("node", tsc, *flags, "bad.ts", cwd=tmp_path)
    assert done.stdout.count("error TS") == 3, done.stdout


def test_the_package_holds_the_library_and_nothing_else(packed_client: Path) -> None:
    with tarfile.open(packed_client) as packed:
        names = {name.removeprefix("package/") for name in packed.getnames()}
    assert {"package.json", "README.md", "index.js", "element.js", "react.js", "types/index.d.ts"} <= names
    assert {"core", "element", "react", "strings", "types"} == {n.split("/")[0] for n in names if "/" in n}
    assert not [name for name in names if ".test." in name or name.startswith(("page", "test", "icons"))]


@pytest.mark.parametrize("file", ["package.json", "package-lock.json", ".npmrc"])
def test_no_file_names_a_registry(file: str) -> None:
    text = (HERE / file).read_text()
    assert "resolved" not in text.replace("omit-lockfile-registry-resolved", "")
    assert "registry=" not in text
