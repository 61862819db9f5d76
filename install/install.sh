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
usage: install.sh [--dry-run] [--no-migrate] [--no-start] [--back | --uninstall]

  (nothing)     install; or upgrade, if it is installed already
  --back        go back to the release before (and, given again, forward); the database stays as it is
  --dry-run     only say what would be done
  --no-migrate  leave the database as it is (then somebody who may change it runs: zvonok migrate)
  --no-start    leave the services as they are
  --uninstall   remove everything but data (/var/lib/zvonok, the database) and settings (/etc/zvonok)

At the first installation any ZVONOK_* variable of the environment goes into /etc/zvonok/zvonok.env (later the file is
yours, and only you change it), for example:
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

# Not one in somebody's home, such as pyenv's: the services see no homes.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sys, venv
homes = ("/home/", "/root/")
sys.exit(sys.version_info < (3, 11) or os.path.realpath(sys.executable).startswith(homes))
PYTHON
        then
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

clustered() {  # do the settings name a cluster? Its client is in a lock file of its own
    [[ -n ${ZVONOK_NATS_URL-} || -s $CONFIG/credentials/nats_url ]] ||
        grep -Eqs '^(export )?ZVONOK_NATS_URL(_FILE)?=.' "$CONFIG/zvonok.env"
}

unfinished=
abandon() {  # a release that was not finished is no release
    if [[ $unfinished ]]; then
        rm -rf -- "$unfinished"
        say "Nothing was changed over: what was installed before goes on running." >&2
    fi
}

install_release() {
    local python wheel version release previous pip_source=() cluster=()
    wheel=$(compgen -G "$here/zvonok-*.whl" | head -1) ||
        die "there is no wheel beside this script; in the repository the command is: make install"
    version=$(basename "$wheel"); version=${version#zvonok-}; version=${version%%-*}
    if ! python=$(find_python); then
        command -v apt-get >/dev/null || die "Python 3.11 or newer with its venv module is needed"
        run apt-get install --yes --no-install-recommends python3 python3-venv ||
            die "apt-get could not install python3-venv: is the network there? Try: apt-get update"
        python=$(find_python) || [[ $dry ]] ||
            die "Python 3.11 or newer is needed, outside of /home and /root; Debian 12 and 13 have it"
    fi
    [[ -d $here/wheels ]] && pip_source=(--no-index --find-links "$here/wheels")
    previous=$(readlink "$PREFIX/current" 2>/dev/null || true)
    release=$PREFIX/releases/$version-$(date -u +%Y%m%d%H%M%S)
    say "Installing Zvonok $version${previous:+ (now: ${previous##*/})}"

    getent passwd "$ACCOUNT" >/dev/null ||
        run useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
    run install -d -m 0750 -o root -g "$ACCOUNT" "$CONFIG"
    run install -d -m 0700 -o root -g root "$CONFIG/credentials"
    if [[ -e $CONFIG/zvonok.env ]]; then
        tell_unused_settings
        run chown "root:$ACCOUNT" "$CONFIG/zvonok.env"  # from a back-up it may have another account's number
        run chmod 0640 "$CONFIG/zvonok.env"
    else
        first_settings "$python" | write_file "$CONFIG/zvonok.env" 0640 "$ACCOUNT"
    fi

    trap abandon EXIT
    [[ $dry ]] || unfinished=$release
    run install -d -m 0755 "$PREFIX" "$PREFIX/releases" "$release"
    run "$python" -m venv "$release"
    if clustered; then cluster=(-r "$here/requirements-cluster.lock"); fi
    run "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --require-hashes --only-binary :all: "${pip_source[@]}" -r "$here/requirements.lock" "${cluster[@]}" ||
        die "the packages were not installed (pip says why above). No way to a package registry from here? Build the" \
            "archive elsewhere with: make archive WHEELS=1. Disk full? See: df -h $PREFIX"
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
    take_over "$release"
    unfinished=
    remove_old_releases "${release##*/}" "${previous##*/}"
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

# Makes a complete release the current one, with its units.
take_over() {  # release
    local unit
    run install -d -m 0755 "$UNITS"
    for unit in "${SERVICES[@]}" zvonok.target; do
        run install -m 0644 "$1/share/systemd/$unit" "$UNITS/"
    done
    run ln -sfn "releases/${1##*/}" "$PREFIX/current.new"
    run mv -fT "$PREFIX/current.new" "$PREFIX/current"
    run systemctl daemon-reload
}

# Migrations only add, so an older release works with a newer one's database.
go_back() {
    local current path others=()
    current=$(readlink "$PREFIX/current") || die "nothing is installed in $PREFIX"
    for path in "$PREFIX"/releases/*; do
        [[ ${path##*/} == "${current##*/}" ]] || others+=("$path")
    done
    [[ ${#others[@]} -eq 1 ]] || die "there is no release to go back to in $PREFIX/releases; install its archive" \
        "with --no-migrate instead"
    # A setting that only the newer release knows would keep every service of the older one from starting.
    local said code=0
    said=$(ZVONOK_ENV_FILE=$CONFIG/zvonok.env CREDENTIALS_DIRECTORY=$CONFIG/credentials \
        "${others[0]}/bin/zvonok" check) || code=$?
    [[ $code -ne 2 ]] || die "${others[0]##*/} would not start with $CONFIG/zvonok.env; mend it first:"$'\n'"$said"
    say "From ${current##*/} to ${others[0]##*/}"
    take_over "${others[0]}"
    start
    say "Settings and database stay as they are. To return: install.sh --back, or install the next release."
}

# Whoever gives other settings than at the first time would believe that they were taken.
tell_unused_settings() {
    local name unused=()
    for name in $(compgen -e ZVONOK_); do
        grep -qxF -- "$name=${!name}" "$CONFIG/zvonok.env" || unused+=("$name")
    done
    [[ ${#unused[@]} -eq 0 ]] || say "NOTE: $CONFIG/zvonok.env is there already and is yours: it was not given the" \
        "environment's ${unused[*]}. Edit it where it should say so."
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

remove_old_releases() {  # current previous: both stay, for --back
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
    [[ ${#failed[@]} -eq 0 ]] && return
    for service in "${failed[@]}"; do
        say "--- the last that $service said:" >&2
        journalctl --no-pager --output=cat --lines=6 --unit="$service" >&2
    done
    die "not running: ${failed[*]}. Mend what they say above, then: systemctl restart zvonok.target; zvonok check"
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
            --back) action=go_back ;;
            --uninstall) action=uninstall ;;
            --help) usage; exit 0 ;;
            *) usage >&2; printf '\ninstall.sh: no such option: %s\n' "$1" >&2; exit 2 ;;
        esac
        shift
    done
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    [[ $dry || $EUID -eq 0 ]] || die "must run as root (try --dry-run to see what it would do)"
    [[ $dry || -d /run/systemd/system ]] || die "this host does not run systemd"
    umask 022
    cd /
    if [[ ! $dry ]]; then
        exec 9>/run/zvonok-install.lock
        flock --nonblock 9 || die "another install.sh is at work here; wait for it"
    fi
    "$action"
    exit
}

main "$@"
