#!/usr/bin/env bash
# A small shop moves from MariaDB to DuckDB: the first copy, then changes, a new column and deletes.
# The database server is private and ends with this script; the files stay, to be looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

demo="${TRIBUTARY_DEMO:-$PWD/demo}"
bin="$CARGO_TARGET_DIR/debug"
port=${TRIBUTARY_DEMO_PORT:-13306}
server=
work=

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
heading() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$off"; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# Prints a command as one would type it, and runs it in the demo's folder.
run() {
    printf '%s$ %s%s\n' "$bold" "$(typed "$@")" "$off"
    (cd "$demo" && "$@")
}

typed() {
    local word text=
    for word in "$@"; do
        case "$word" in
        *[[:space:]\"]*) text+=" \"${word//\"/\\\"}\"" ;;
        *) text+=" $word" ;;
        esac
    done
    printf '%s' "${text# }"
}

cleanup() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sql() { mariadb --no-defaults --socket="$work/socket" --user=root --default-character-set=utf8mb4 "$@"; }

# Changes the shop and shows how.
change() {
    note "mariadb> $*"
    sql shop -e "$*"
}

start_server() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/tributary-demo.XXXXXX")
    # A server that starts empties its temporary folder, which must not be that of others.
    mkdir -p "$work/tmp"
    export TMPDIR="$work/tmp"
    mariadb-install-db --no-defaults --datadir="$work/data" --skip-test-db \
        --auth-root-authentication-method=normal --user="$(id -un)" >"$work/install.log" 2>&1 ||
        fail "MariaDB's system tables can't be made: $(tail -n 3 "$work/install.log")"
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    # It ends with this script even when nobody can clean up.
    setpriv --pdeathsig TERM -- mariadbd --no-defaults --datadir="$work/data" --socket="$work/socket" --pid-file="$work/pid" \
        --port="$port" --bind-address=127.0.0.1 --skip-name-resolve --user="$(id -un)" \
        --log-bin=binlog --server-id=1 --binlog-format=ROW --binlog-row-metadata=FULL --gtid-strict-mode=ON \
        --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=2 \
        >"$work/server.log" 2>&1 </dev/null &
    server=$!
    local tries=0
    until sql -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || fail "MariaDB ended: $(tail -n 5 "$work/server.log")"
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "MariaDB does not answer: $(tail -n 5 "$work/server.log")"
        sleep 0.1
    done
}

heading "Getting ready"
scripts/setup.sh demo
note "The first build takes some minutes."
cargo build -p tributary -p tributary-testkit --bin tributary --bin shop
PATH="$bin:$PATH:/usr/sbin"
began=$SECONDS
mkdir -p "$demo"
# Only what an earlier demo left: the folder may be anyone's.
rm -f "$demo"/warehouse.duckdb "$demo"/warehouse.duckdb.wal "$demo"/tributary.yaml

heading "1. A private MariaDB with a small shop in it"
start_server
shop | sql
export SHOP_PASSWORD=demo
sql -e "CREATE USER reader@'%' IDENTIFIED BY '$SHOP_PASSWORD';
        GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader@'%'"
sql --table shop -e "SELECT 'customers' AS \`table\`, count(*) AS \`rows\` FROM customers
    UNION ALL SELECT 'products', count(*) FROM products
    UNION ALL SELECT 'orders', count(*) FROM orders
    UNION ALL SELECT 'order_lines', count(*) FROM order_lines"

heading "2. The configuration: $demo/tributary.yaml"
cat >"$demo/tributary.yaml" <<YAML
sources:
  shop:
    type: mysql
    host: 127.0.0.1
    port: $port
    user: reader
    password: \${SHOP_PASSWORD}
    databases: [shop]
destinations:
  warehouse: {type: duckdb, path: warehouse.duckdb}
connections:
  shop: {source: shop, destination: warehouse}
YAML
cat "$demo/tributary.yaml"

heading "3. Would it work? What is there?"
run tributary check
run tributary discover shop

heading "4. The first sync: a copy of every table"
run tributary sync

heading "5. Meanwhile, in the shop"
change "UPDATE customers SET tier = 'pro' WHERE id <= 100"
change "INSERT INTO orders (customer_id, status, total, ordered_at) SELECT id, 'new', 10.50, NOW() FROM customers LIMIT 250"
change "DELETE FROM order_lines WHERE order_id <= 50"
change "DELETE FROM orders WHERE id <= 50"
change "ALTER TABLE products ADD COLUMN stock INT NOT NULL DEFAULT 0"
change "UPDATE products SET stock = 7 WHERE price > 400"

heading "6. The second sync: only what changed, new column and deletes included"
run tributary sync
note "And once more, with nothing new:"
run tributary sync

heading "7. A look into the warehouse"
run tributary query warehouse "SELECT tier, count(*) AS customers FROM shop.customers WHERE NOT _tributary_deleted GROUP BY tier ORDER BY tier"
run tributary query warehouse "SELECT sku, title, price, stock FROM shop.products WHERE stock > 0 ORDER BY sku LIMIT 5"
run tributary query warehouse "SELECT _tributary_deleted AS deleted, count(*) AS orders FROM shop.orders GROUP BY 1 ORDER BY 1"
note "Every load it made, and where it stands:"
run tributary query warehouse "SELECT sequence, rows_read, rows_written, rows_rejected, duration_seconds, committed_at FROM _tributary.loads ORDER BY sequence"
run tributary status

heading "Done in $((SECONDS - began)) seconds after the build"
printf 'The warehouse:      %s\n' "$demo/warehouse.duckdb"
printf 'The configuration:  %s\n' "$demo/tributary.yaml"
printf 'The program:        %s\n' "$bin/tributary"
note "MariaDB ends here. To ask more: eval \"\$(make -s env)\"; cd $demo; SHOP_PASSWORD=demo $bin/tributary query warehouse \"FROM shop.orders LIMIT 10\""
