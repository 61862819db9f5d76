"""Where the lab's Asterisk comes from: a Debian release unpacked into a folder, built once and shared.

ZVONOK_LAB_ROOTS names the folder of roots (default ~/.cache/zvonok-lab). Asterisk runs from there without a chroot,
through the root's own dynamic loader, so neither root rights nor a container is needed to run it.
"""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

# Version -> the Debian release that has it, and its packages. Two AMI dialects, a decade of PBXs apart.
RELEASES = {
    "22": ("sid", "asterisk"),
    "16": ("bullseye", "asterisk,asterisk-voicemail"),
}
BUILD_SECONDS = 600


class NoRoot(Exception):  # noqa: N818  # read as "raise NoRoot"
    """There is no Asterisk here and none can be built; the message says what to install."""


def roots_folder() -> Path:
    """The folder that holds the roots, one for each version."""
    return Path(os.environ.get("ZVONOK_LAB_ROOTS") or Path.home() / ".cache" / "zvonok-lab")


def asterisk_root(version: str) -> Path:
    """The root of Asterisk `version` ("22" or "16"), built if it is not there yet. Raises `NoRoot`."""
    folder = roots_folder()
    root = folder / f"asterisk-{version}"
    if root.is_dir():
        return root
    if shutil.which("mmdebstrap") is None:
        raise NoRoot(f"Asterisk {version} is not in {folder} and mmdebstrap is missing: apt-get install mmdebstrap")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"asterisk-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test workers may ask at once
        if not root.is_dir():
            _build(version, root)
    return root


def _build(version: str, root: Path) -> None:
    release, packages = RELEASES[version]
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [
        "mmdebstrap",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--variant=minbase",
        f"--include={packages}",
        "--components=main",
        release,
        str(partial),
        debian_mirror(),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if built.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        raise NoRoot(f"mmdebstrap could not unpack Asterisk {version} ({release}):\n{built.stderr[-1500:]}")
    partial.rename(root)


def debian_mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    for path in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        for uri in re.findall(r"^URIs:\s*(\S+)", path.read_text(), re.MULTILINE):
            if uri.rstrip("/").endswith("/debian"):
                return str(uri)
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt").glob("sources.list.d/*.list"))]:
        if path.is_file():
            for uri in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", path.read_text(), re.MULTILINE):
                if uri.rstrip("/").endswith("/debian"):
                    return str(uri)
    raise NoRoot("apt's sources name no Debian mirror to take Asterisk from: the lab needs a Debian machine")
