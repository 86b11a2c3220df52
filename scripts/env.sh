# What cargo and the programs it builds need to find DuckDB. Sourced by the other scripts; printed
# for a shell of one's own by `make env`.
export TRIBUTARY_CACHE="${TRIBUTARY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tributary}"
export DUCKDB_LIB_DIR="${DUCKDB_LIB_DIR:-$TRIBUTARY_CACHE/lib}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$TRIBUTARY_CACHE/target}"
case ":${LD_LIBRARY_PATH:-}:" in
*":$DUCKDB_LIB_DIR:"*) ;;
*) export LD_LIBRARY_PATH="$DUCKDB_LIB_DIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
esac
