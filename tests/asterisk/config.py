"""An Asterisk's configuration for the lab, written from what the PBX is to have: phones, trunks, dialplan, queues.

Everything is on loopback; each instance has its own folders, so any number of them can run at once.
"""

import re
from pathlib import Path

import msgspec

PROJECT = Path(__file__).resolve().parents[2]
DIALPLAN = PROJECT / "dialplan"

LAB_USER, LAB_SECRET = "lab", "lab-sees-everything"
TAP_USER, TAP_SECRET = "zvonok", "a-secret-of-the-lab"

# Files that are the same for every instance; the empty ones exist so that Asterisk does not warn.
FIXED = Path(__file__).parent / "etc"
EMPTY = ("acl", "stasis", "codecs", "sorcery", "pjproject", "pjsip_notify", "cli", "cli_permissions")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a PBX of the lab has.

    `phones` are PJSIP endpoints of that name that register without a password and whose calls enter the context
    `phones_context`. Calls from anybody else enter `trunk_context`. `trunks` are endpoints to dial out through
    (`PJSIP/<number>@<trunk>`); a phone registers as the trunk to be its far end. `extensions` and `queues` are the
    text of extensions.conf and queues.conf; `features` is the text of features.conf's [featuremap].
    `zvonok`: include dialplan/zvonok.conf, as an operator would. `files`: more files for /etc/asterisk by name.
    """

    phones: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()
    extensions: str = ""
    queues: str = ""
    phones_context: str = "office"
    trunk_context: str = "from-trunk"
    zvonok: bool = True
    files: dict[str, str] = {}


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where an instance listens, all on 127.0.0.1; `agi` is where it looks for the FastAGI server."""

    sip: int
    ami: int
    agi: int


def write(etc: Path, site: Site, ports: Ports, *, root: Path, home: Path) -> None:
    """Write all of /etc/asterisk for `site` into `etc`; `home` holds the instance's other folders."""
    modules = next(root.glob("usr/lib/**/asterisk/modules"))
    files = {path.name: path.read_text() for path in FIXED.glob("*.conf")}
    files |= {f"{name}.conf": "" for name in EMPTY}
    files |= {
        "asterisk.conf": _asterisk_conf(etc, home, modules=modules, data=_data(root, home)),
        "manager.conf": _manager_conf(ports),
        "manager.d/zvonok.conf": _tap_user(),
        "pjsip.conf": _pjsip_conf(site, ports),
        "extensions.conf": _extensions_conf(site, ports),
        "queues.conf": f"[general]\nautofill = yes\n{site.queues}",
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {home / 'data/sounds/en/digits'}\n",
    }
    for name, text in (files | site.files).items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _asterisk_conf(etc: Path, home: Path, *, modules: Path, data: Path) -> str:
    folders = {
        "astetcdir": etc,
        "astmoddir": modules,
        "astvarlibdir": home / "lib",
        "astdbdir": home / "lib",
        "astkeydir": home / "lib",
        "astdatadir": data,
        "astagidir": home / "agi-bin",
        "astspooldir": home / "spool",
        "astrundir": home / "run",
        "astlogdir": home / "log",
    }
    for folder in (*folders.values(), home / "lib" / "keys"):
        folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name} => {folder}\n" for name, folder in folders.items())
    return f"[directories]\n{lines}[options]\nverbose = 3\nhideconnect = yes\n"


def _data(root: Path, home: Path) -> Path:
    """The instance's data folder: the root's own, but for the sounds, whose links there point out of the root."""
    data = home / "data"
    (data / "sounds").mkdir(parents=True, exist_ok=True)
    links = {
        "documentation": root / "usr/share/asterisk/documentation",
        "sounds/en": root / "usr/share/asterisk/sounds/en_US_f_Allison",
    }
    for name, target in links.items():
        if not (data / name).is_symlink():
            (data / name).symlink_to(target)
    return data


def _manager_conf(ports: Ports) -> str:
    return (
        f"[general]\nenabled = yes\nport = {ports.ami}\nbindaddr = 127.0.0.1\n\n"
        f"[{LAB_USER}]\nsecret = {LAB_SECRET}\npermit = 127.0.0.1/255.255.255.255\nread = all\nwrite = all\n\n"
        '#tryinclude "manager.d/*.conf"\n'
    )


def _tap_user() -> str:
    text = (DIALPLAN / "manager.d" / "zvonok.conf").read_text()
    return re.sub(r"(?m)^secret\s*=.*$", f"secret = {TAP_SECRET}", text)


def _extensions_conf(site: Site, ports: Ports) -> str:
    include = f'#include "{DIALPLAN / "zvonok.conf"}"\n' if site.zvonok else ""
    return f"[general]\n[globals]\nZVONOK_AGI = 127.0.0.1:{ports.agi}\n\n{include}\n{site.extensions}\n"


def _pjsip_conf(site: Site, ports: Ports) -> str:
    parts = [
        f"""
[global]
type = global
endpoint_identifier_order = username,ip
user_agent = Lab

[loopback]
type = transport
protocol = udp
bind = 127.0.0.1:{ports.sip}

[phone](!)
type = endpoint
transport = loopback
disallow = all
allow = ulaw
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
dtmf_mode = info
send_pai = yes
trust_id_inbound = yes
trust_id_outbound = yes
allow_subscribe = no
moh_suggest = default

[from-outside](phone)
context = {site.trunk_context}

[from-outside]
type = identify
endpoint = from-outside
match = 127.0.0.1
"""
    ]
    for name in site.phones:
        parts.append(f"[{name}](phone)\ncontext = {site.phones_context}\naors = {name}\ncallerid = <{name}>\n")
        parts.append(f"named_call_group = {name[:-1]}\nnamed_pickup_group = {name[:-1]}\n")
        parts.append(f"[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n")
    for name in site.trunks:
        parts.append(f"[{name}](phone)\ncontext = {site.trunk_context}\naors = {name}\n")
        parts.append(f"[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n")
    return "".join(parts)
