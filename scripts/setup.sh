#!/usr/bin/env bash
# Installs what building and testing need and what is not there yet. Run it as often as you like:
# with everything in place it takes a moment and needs neither root nor a network.
#   setup.sh          everything, for the tests too
#   setup.sh build    what `make build` needs
#   setup.sh demo     what `make demo` needs
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

duckdb_version=1.5.6
duckdb_package="@duckdb/node-bindings-linux-x64@$duckdb_version-r.1"
duckdb_sha256=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
mysql="$TRIBUTARY_CACHE/mysql-9.7"
# Readers of lakes that share no line with us, and a parser of Athena's SQL; the tests believe them.
python="$TRIBUTARY_CACHE/python"
python_packages="pyiceberg[sql-sqlite,pyarrow]==0.12.0 sqlglot==30.30.0 psycopg2-binary==2.9.13 duckdb==1.5.5 duckdb-extension-avro==1.5.5 duckdb-extension-iceberg==1.5.5"

# What stands in for BigQuery.
bigquery="$TRIBUTARY_CACHE/bigquery"
bigquery_packages="bqemulator==1.4.0 numpy==2.4.6 duckdb==2.0.0 pyarrow==26.0.1 sqlglot==30.11.0"

step() { printf '%-12s %s\n' "$1" "$2"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Debian's packages, as root; a service that a package brings is not started.
debian() {
    local packages="$*"
    have apt-get || fail "this needs $packages, and there is no apt-get to install them. Install them by hand and run it again."
    [ "$(id -u)" = 0 ] || fail "this needs $packages. Run \`apt-get install $packages\` as root, or this as root."
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap "rm -f '$policy'" RETURN
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    # The lists may be missing or old; the packages decide whether it worked.
    apt-get update >"$TRIBUTARY_CACHE/apt.log" 2>&1 || true
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages \
        >>"$TRIBUTARY_CACHE/apt.log" 2>&1 </dev/null ||
        fail "apt-get could not install $packages; see $TRIBUTARY_CACHE/apt.log."
}

tools() {
    local needed found
    have cargo || fail "Rust is missing. Install it with rustup, then run this again."
    # A cargo without rustup does not fetch the toolchain that the project names.
    needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$(cargo --version | awk '{print $2}')
    printf '%s\n' "$needed" "$found" | sort --check=quiet --version-sort ||
        fail "Rust $needed is needed, and this cargo is $found. Install Rust with rustup, which brings the right one."
    have cc || debian build-essential
    have setpriv || debian util-linux
    step "Rust" "$found"
}

mariadb() {
    PATH="$PATH:/usr/sbin"
    have mariadbd && have mariadb-install-db && command -v mariadb >/dev/null || debian mariadb-server mariadb-client
    step "MariaDB" "$(mariadbd --version 2>/dev/null | awk '{print $3}')"
}

postgresql() {
    local programs=/usr/lib/postgresql
    compgen -G "$programs/*/bin/initdb" >/dev/null || debian postgresql
    step "PostgreSQL" "$(ls "$programs" | sort -V | tail -1)"
}

is_duckdb() { printf '%s  %s\n' "$duckdb_sha256" "$1" | sha256sum --check --status 2>/dev/null; }

duckdb() {
    local library="$DUCKDB_LIB_DIR/libduckdb.so" work
    if ! is_duckdb "$library"; then
        [ "$(uname -sm)" = "Linux x86_64" ] ||
            fail "the DuckDB library is fetched for Linux on x86_64 only. Build with \`--features bundled\` here, which compiles it."
        have npm || debian npm
        work=$(mktemp -d "$TRIBUTARY_CACHE/duckdb.XXXXXX")
        (cd "$work" && npm pack --silent "$duckdb_package" >/dev/null && tar -xzf ./*.tgz) ||
            fail "npm could not fetch $duckdb_package. Is there a network?"
        is_duckdb "$work/package/libduckdb.so" || fail "what npm fetched is not DuckDB $duckdb_version."
        mkdir -p "$DUCKDB_LIB_DIR"
        mv "$work/package/libduckdb.so" "$library"
        rm -rf "$work"
    fi
    step "DuckDB" "$duckdb_version"
}

# Runs the server by its own folder's loader: its libraries are newer than this system's.
mysql_version() {
    "$1/lib64/ld-linux-x86-64.so.2" --library-path "$1/usr/lib/x86_64-linux-gnu" \
        "$1/usr/sbin/mysqld" --no-defaults --version 2>/dev/null | awk '{print $3}' | grep .
}

mysql() {
    local partial="$mysql.partial" log="$TRIBUTARY_CACHE/debootstrap.log"
    if ! mysql_version "$mysql" >/dev/null; then
        have debootstrap || debian debootstrap
        [ "$(id -u)" = 0 ] || fail "MySQL for the tests is unpacked with debootstrap, which needs root. Run this as root once."
        step "MySQL" "unpacking, about a minute"
        # A name of its own until it is complete, so that an interrupted run is not taken for done.
        remove "$partial"
        # The last step configures the packages; it may fail where nothing may be mounted, and we
        # need the files only.
        debootstrap --variant=minbase --include=mysql-server-core,mysql-client-core sid "$partial" \
            >"$log" 2>&1 </dev/null || unpack "$partial"
        mysql_version "$partial" >/dev/null || fail "debootstrap left no server that runs; see $log."
        rm -rf "$partial"/{var/cache/apt,var/lib/apt/lists,usr/share/doc,usr/share/man,usr/share/locale}
        remove "$mysql"
        mv "$partial" "$mysql"
    fi
    step "MySQL" "$(mysql_version "$mysql")"
}

unpack() {
    local package
    for package in "$1"/var/cache/apt/archives/*.deb; do
        [ -e "$package" ] && dpkg-deb -x "$package" "$1"
    done
    return 0
}

python() {
    if [ "$(cat "$python/packages" 2>/dev/null)" != "$python_packages" ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
        step "Python" "installing pyiceberg, sqlglot and DuckDB with Iceberg"
        rm -rf "$python"
        # shellcheck disable=SC2086
        python3 -m venv "$python" &&
            "$python/bin/pip" install --quiet --disable-pip-version-check $python_packages ||
            fail "pip could not install $python_packages. Is there a network?"
        # Written last, so that an interrupted run is not taken for done.
        printf '%s\n' "$python_packages" >"$python/packages"
    fi
    step "Python" "$("$python/bin/python" -c 'import pyiceberg; print("pyiceberg", pyiceberg.__version__)')"
}

# The status page's tests look at it. Whoever can't have it here can still build and run all others:
# those tests fail then, and name the command.
chromium() {
    if have chromium || have chromium-browser || have google-chrome; then
        step "Chromium" "there"
    elif have apt-get && [ "$(id -u)" = 0 ] && (debian chromium fonts-dejavu-core); then
        step "Chromium" "installed"
    else
        step "Chromium" "missing; the tests of the status page need \`apt-get install --no-install-recommends chromium\`"
    fi
}

# Airflow and whatever else must take what we write: 400 MB, a minute the first time.
checkers() {
    local checkers="$TRIBUTARY_CACHE/checkers" wanted=scripts/checkers.txt
    if ! cmp --silent "$checkers/packages" "$wanted"; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
        step "Airflow" "installing, about a minute"
        rm -rf "$checkers"
        python3 -m venv "$checkers" &&
            "$checkers/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" ||
            fail "pip could not install what $wanted lists. Is there a network?"
        # Written last, so that an interrupted run is not taken for done.
        cp "$wanted" "$checkers/packages"
    fi
    step "Airflow" "$(sed -n 's/^apache-airflow==//p' "$checkers/packages")"
}

bigquery() {
    if [ "$(cat "$bigquery/packages" 2>/dev/null)" != "$bigquery_packages" ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
        step "BigQuery" "installing bqemulator"
        rm -rf "$bigquery"
        # shellcheck disable=SC2086
        python3 -m venv "$bigquery" &&
            "$bigquery/bin/pip" install --quiet --disable-pip-version-check $bigquery_packages ||
            fail "pip could not install $bigquery_packages. Is there a network?"
        # Written last, so that an interrupted run is not taken for done.
        printf '%s\n' "$bigquery_packages" >"$bigquery/packages"
    fi
    step "BigQuery" "$("$bigquery/bin/python" -c 'import bqemulator; print("bqemulator", bqemulator.__version__)')"
}

# debootstrap mounts system folders; a run that was killed leaves them there.
remove() {
    local mounted
    for mounted in proc sys dev; do
        umount "$1/$mounted" 2>/dev/null || true
    done
    rm -rf --one-file-system "$1"
}

mkdir -p "$TRIBUTARY_CACHE"
exec 9>"$TRIBUTARY_CACHE/setup.lock"
flock 9
case "${1:-everything}" in
build) parts=(tools duckdb) ;;
demo) parts=(tools mariadb duckdb) ;;
everything) parts=(tools mariadb postgresql duckdb mysql python bigquery checkers chromium) ;;
*) fail "\`$1\` is not known. Write \`build\`, \`demo\`, or nothing for everything." ;;
esac
for part in "${parts[@]}"; do "$part"; done
