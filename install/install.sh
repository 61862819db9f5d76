#!/usr/bin/env bash
# Installs Zvonok on a Debian PBX host, or upgrades it: run again whenever you like. `--help` tells the rest.
set -euo pipefail

PREFIX=/opt/zvonok               # releases/<version>-<time>/, current -> one of them
CONFIG=/etc/zvonok               # zvonok.env, credentials/
STATE=/var/lib/zvonok
UNITS=/usr/local/lib/systemd/system  # so that drop-ins of `systemctl edit` in /etc/systemd/system stay yours
COMMAND=/usr/local/bin/zvonok
SERVICES=(zvonok-fastagi.service zvonok-tap.service zvonok-notifier.service)
ACCOUNT=zvonok
FIRST_SECRETS=(ZVONOK_AUTH_SECRET ZVONOK_INTAKE_SECRET ZVONOK_AMI_SECRET ZVONOK_METRICS_TOKEN)

usage() {
    cat <<'TEXT'
usage: install.sh [--dry-run] [--no-migrate] [--no-start] [--uninstall]

  (nothing)     install; or upgrade, if it is installed already
  --dry-run     only say what would be done
  --no-migrate  leave the database as it is (then somebody who may change it runs: zvonok migrate)
  --no-start    leave the services as they are
  --uninstall   remove everything but data (/var/lib/zvonok, the database) and settings (/etc/zvonok)

At the first installation any ZVONOK_* variable of the environment goes into /etc/zvonok/zvonok.env, for example:
  ZVONOK_DATABASE_URL=postgresql://zvonok:PASSWORD@127.0.0.1/crm ZVONOK_AMI_HOST=127.0.0.1 ./install.sh
TEXT
}

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }

dry=
# Every change of this machine goes through here, so that a dry run shows all of them.
run() {
    if [[ $dry ]]; then printf 'would run: %s\n' "$(printf '%q ' "$@")"; else "$@"; fi
}

# Writes stdin to a file with this mode and group, at once or not at all.
write_file() {  # path mode group
    if [[ $dry ]]; then
        printf 'would write: %s (mode %s, group %s)\n' "$1" "$2" "$3"
        cat >/dev/null
        return
    fi
    local temporary
    temporary=$(mktemp "$1.XXXXXX")
    cat >"$temporary"
    chown "root:$3" "$temporary"
    chmod "$2" "$temporary"
    mv -fT "$temporary" "$1"
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# The first settings: the example, with secrets of our own and what the environment says.
first_settings() {  # python
    ZVONOK_FIRST_SECRETS="${FIRST_SECRETS[*]}" "$1" - "$here/.env.example" <<'PYTHON'
import os, re, secrets, socket, sys

given = {name: value for name, value in os.environ.items() if name.startswith("ZVONOK_")}
generated = given.pop("ZVONOK_FIRST_SECRETS").split()
host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname().split(".")[0])[:32] or "pbx"
values = {"ZVONOK_PBX_NAME": host} | {name: secrets.token_hex(32) for name in generated} | given
for line in open(sys.argv[1], encoding="utf-8"):
    found = re.match(r"#(ZVONOK_\w+)=", line)
    if found and found[1] in values:
        line = f"{found[1]}={values.pop(found[1])}\n"
    sys.stdout.write(line)
for name, value in values.items():
    sys.stdout.write(f"{name}={value}\n")
PYTHON
}

configured() {  # is there what the services cannot do without?
    [[ -r $CONFIG/zvonok.env ]] || return 1
    local name
    for name in DATABASE_URL AMI_HOST; do
        grep -Eq "^(export )?ZVONOK_$name(_FILE)?=." "$CONFIG/zvonok.env" ||
            [[ -s $CONFIG/credentials/${name,,} ]] || return 1
    done
}

unfinished=
abandon() {  # a release that was not finished is no release
    if [[ $unfinished ]]; then
        rm -rf -- "$unfinished"
        say "Nothing was changed over: what was installed before goes on running." >&2
    fi
}

install_release() {
    local python wheel version release previous pip_source=()
    wheel=$(compgen -G "$here/zvonok-*.whl" | head -1) ||
        die "there is no wheel beside this script; in the repository the command is: make install"
    version=$(basename "$wheel"); version=${version#zvonok-}; version=${version%%-*}
    if ! python=$(find_python); then
        command -v apt-get >/dev/null || die "Python 3.11 or newer with its venv module is needed"
        run apt-get install --yes --no-install-recommends python3 python3-venv
        python=$(find_python) || [[ $dry ]] || die "Python 3.11 or newer is needed; Debian 12 and 13 have it"
    fi
    [[ -d $here/wheels ]] && pip_source=(--no-index --find-links "$here/wheels")
    previous=$(readlink "$PREFIX/current" 2>/dev/null || true)
    release=$PREFIX/releases/$version-$(date -u +%Y%m%d%H%M%S)
    say "Installing Zvonok $version${previous:+ (now: ${previous##*/})}"

    getent passwd "$ACCOUNT" >/dev/null ||
        run useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
    run install -d -m 0750 -o root -g "$ACCOUNT" "$CONFIG"
    run install -d -m 0700 -o root -g root "$CONFIG/credentials"
    if [[ ! -e $CONFIG/zvonok.env ]]; then
        first_settings "$python" | write_file "$CONFIG/zvonok.env" 0640 "$ACCOUNT"
    fi

    trap abandon EXIT
    [[ $dry ]] || unfinished=$release
    run install -d -m 0755 "$PREFIX" "$PREFIX/releases" "$release"
    run "$python" -m venv "$release"
    run "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes --only-binary :all: "${pip_source[@]}" -r "$here/requirements.lock"
    run "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --no-index "$wheel"
    run install -d -m 0755 "$release/share"
    run cp -R --no-preserve=ownership "$here/docs" "$here/dialplan" "$here/operate" "$here/systemd" "$here/install.sh" \
        "$here/.env.example" "$here/CHANGELOG.md" "$release/share/"
    [[ $dry ]] || "$release/bin/zvonok" --version >/dev/null || die "the new release does not start"

    [[ ${no_migrate-} ]] || migrate "$release"

    write_file "$COMMAND" 0755 root <<'SH'
#!/bin/sh
# Zvonok's command with the settings of the installed services, unless told otherwise.
export ZVONOK_ENV_FILE="${ZVONOK_ENV_FILE:-/etc/zvonok/zvonok.env}"
if [ -z "${CREDENTIALS_DIRECTORY-}" ] && [ -r /etc/zvonok/credentials ]; then
    export CREDENTIALS_DIRECTORY=/etc/zvonok/credentials
fi
exec /opt/zvonok/current/bin/zvonok "$@"
SH
    run install -d -m 0755 "$UNITS"
    run install -m 0644 "$here"/systemd/zvonok-*.service "$here/systemd/zvonok.target" "$UNITS/"
    run ln -sfn "releases/${release##*/}" "$PREFIX/current.new"
    run mv -fT "$PREFIX/current.new" "$PREFIX/current"
    unfinished=
    remove_old_releases "${release##*/}" "${previous##*/}"

    run systemctl daemon-reload
    # What an administrator disabled stays disabled.
    [[ $previous ]] || run systemctl enable --quiet zvonok.target "${SERVICES[@]}"
    if [[ ! $dry ]] && ! configured; then
        say "Installed. Next: set ZVONOK_DATABASE_URL and ZVONOK_AMI_HOST in $CONFIG/zvonok.env, then run this again."
        return
    fi
    start
    if [[ -z $previous ]]; then
        say "The PBX still needs dialplan/ (see $PREFIX/current/share/dialplan/README.md); ZVONOK_AMI_SECRET is in" \
            "$CONFIG/zvonok.env. Then: zvonok check"
    fi
}

# Migrations only add; the old release works with them, so they come first and may fail without harm.
migrate() {  # release
    local zvonok=(systemd-run --quiet --pipe --wait --collect --uid="$ACCOUNT"
        --setenv=ZVONOK_ENV_FILE="$CONFIG/zvonok.env" --property=LoadCredential=zvonok:"$CONFIG/credentials"
        "$1/bin/zvonok" migrate)
    if [[ $dry ]]; then
        run "${zvonok[@]}"
        return
    fi
    configured || return 0
    # The services' role may lack the rights to migrate, and need not have them where nothing is to be done.
    "${zvonok[@]}" --status >/dev/null 2>&1 && return
    "${zvonok[@]}" || die "the database was not migrated: mend what the line above says and run this again" \
        "(or with --no-migrate, and let the tables' owner run: zvonok migrate)"
}

remove_old_releases() {  # current previous: both stay, so that going back is one symlink
    local path
    for path in "$PREFIX"/releases/*; do
        case ${path##*/} in "$1" | "$2" | "*") ;; *) run rm -rf -- "$path" ;; esac
    done
}

start() {
    [[ ${no_start-} ]] && return
    run systemctl restart zvonok.target
    [[ $dry ]] && return
    local service failed=()
    for service in "${SERVICES[@]}"; do
        systemctl is-enabled --quiet "$service" || continue
        systemctl is-active --quiet "$service" && say "$service is running" || failed+=("$service")
    done
    [[ ${#failed[@]} -eq 0 ]] || die "not running: ${failed[*]}; see: journalctl -u ${failed[0]} -n 20"
}

uninstall() {
    local unit
    for unit in zvonok.target "${SERVICES[@]}"; do
        if [[ -e $UNITS/$unit ]]; then
            run systemctl disable --quiet --now "$unit"
            run rm -f -- "$UNITS/$unit"
        fi
    done
    run systemctl daemon-reload
    run rm -rf -- "$PREFIX" "$COMMAND" /run/zvonok
    say "Kept: $CONFIG, $STATE, the account $ACCOUNT that owns them, and everything in the database." \
        "Remove '#include zvonok.conf' from the dialplan when convenient; calls go on with it."
}

# A copy that runs from the release it may remove must be read whole first: hence main().
main() {
    local action=install_release
    while [[ $# -gt 0 ]]; do
        case $1 in
            --dry-run) dry=yes ;;
            --no-migrate) no_migrate=yes ;;
            --no-start) no_start=yes ;;
            --uninstall) action=uninstall ;;
            --help) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    [[ $dry || $EUID -eq 0 ]] || die "must run as root (try --dry-run to see what it would do)"
    [[ $dry || -d /run/systemd/system ]] || die "this host does not run systemd"
    umask 022
    cd /
    "$action"
    exit
}

main "$@"
