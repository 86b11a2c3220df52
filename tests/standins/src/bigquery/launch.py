"""Starts bqemulator for the tests, with what it lacks put in.

What is mended here, and why, is told in `mod.rs`. It ends when its input does: with whoever started it.
Argument: the file into which it writes the two ports once it listens.
"""

import asyncio
import os
import re
import sys

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from bqemulator.api.routes import jobs, tables
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.models import TableFieldSchema, TableSchema
from bqemulator.config import Settings
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.grpc_api import write_servicer
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.scripting.exceptions import ScriptRaise
from bqemulator.server import EmulatorServer
from bqemulator.storage import arrow_bridge, sql_identifiers
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

# No extension is fetched from a network.
DuckDBEngine._load_spatial = lambda self: None

# Names of tables may have letters of any script and spaces.
sql_identifiers._SQL_SAFE_ID_RE = re.compile(r'^[^"\x00]{1,1024}$')

# No copy of each table at each change.
SnapshotManager.record_change = lambda self, *_: None


async def no_snapshots(*_):
    pass


executor._capture_dml_snapshots = no_snapshots

# Instants as `formatOptions.useInt64Timestamp` asks for them.
formatters = list(arrow_bridge._BQ_TYPE_FORMATTERS)


def instant(value, arrow_type, field):
    if arrow_type.tz is None:
        return value.isoformat()
    since = value - value.replace(year=1970, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    return str((since.days * 86400 + since.seconds) * 1000000 + since.microseconds)


def decimal(value, arrow_type, field):
    return format(value, "f")


# Decimals without exponents.
arrow_bridge._BQ_TYPE_FORMATTERS = tuple(
    (test, instant if make is arrow_bridge._fmt_bq_timestamp else decimal if test is pa.types.is_decimal else make)
    for test, make in formatters
)

# Columns as DuckDB has them: also behind ALTER TABLE, and with digits and scale.
TYPES = {
    "BIGINT": "INTEGER", "DOUBLE": "FLOAT", "BOOLEAN": "BOOLEAN", "VARCHAR": "STRING", "BLOB": "BYTES",
    "DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "DATETIME", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "JSON": "JSON",
}
server = None


def fields_of(engine, project, dataset, table):
    found = engine.execute(f'DESCRIBE "{project}__{dataset}"."{table}"').fetchall()
    fields = []
    for name, duckdb_type, *_ in found:
        decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb_type)
        if decimal:
            digits, scale = int(decimal[1]), int(decimal[2])
            kind = "NUMERIC" if scale <= 9 and digits - scale <= 29 else "BIGNUMERIC"
            fields.append(TableFieldSchema(name=name, type=kind, precision=digits, scale=scale))
        else:
            fields.append(TableFieldSchema(name=name, type=TYPES.get(duckdb_type, duckdb_type)))
    return tuple(fields)


ddl_sync._introspect_schema = lambda project, dataset, table, ctx: TableSchema(
    fields=fields_of(ctx.engine, project, dataset, table)
)
to_rest = tables._table_to_rest


def table_to_rest(meta):
    body = to_rest(meta)
    found = fields_of(server._engine, meta.project_id, meta.dataset_id, meta.table_id)
    body["schema"] = {"fields": [field_to_rest(field) for field in found]}
    return body


def field_to_rest(field):
    rest = {"name": field.name, "type": field.type, "mode": "NULLABLE"}
    if field.precision is not None:
        rest["precision"], rest["scale"] = str(field.precision), str(field.scale)
    return rest


tables._table_to_rest = table_to_rest

# @@row_count: how many rows the last statement changed.
run_query = interpreter.ScriptInterpreter._run_query


async def counting(self, sql):
    sql = sql.replace("@@row_count", str(getattr(self, "row_count", 0)))
    table = await run_query(self, sql)
    if not interpreter._is_row_producing(sql) and table.num_columns == 1 and table.num_rows == 1:
        self.row_count = table.column(0)[0].as_py()
    return table


interpreter.ScriptInterpreter._run_query = counting

# TO_JSON_STRING of a NULL is the text `null`, and not NULL.
TRANSFORMS = DuckDB.Generator.TRANSFORMS
json_text = TRANSFORMS.get(exp.JSONFormat)


def never_null(self, node):
    text = json_text(self, node) if json_text else self.function_fallback_sql(node)
    return text if node.args.get("to_json") else f"COALESCE({text}, 'null')"


TRANSFORMS[exp.JSONFormat] = never_null

# Several columns renamed by one statement: DuckDB renames one at a time.
exec_sql = interpreter.ScriptInterpreter._exec_sql


async def one_rename_at_a_time(self, sql):
    parts = re.split(r",\s*(?=RENAME COLUMN )", sql)
    if len(parts) > 1 and sql.lstrip().startswith("ALTER TABLE"):
        head = parts[0][: parts[0].index("RENAME COLUMN")]
        for number, part in enumerate(parts):
            await exec_sql(self, part if number == 0 else head + part)
    else:
        await exec_sql(self, sql)


interpreter.ScriptInterpreter._exec_sql = one_rename_at_a_time

# One job at a time, as transactions see nothing of one another; temporary tables go with their script.
# What a script raises is how its job ended.
execute = jobs.execute_query_job
lock = asyncio.Lock()


async def alone(*arguments, **options):
    async with lock:
        try:
            return await execute(*arguments, **options)
        except ScriptRaise as raised:
            raise InvalidQueryError(raised.message) from raised
        finally:
            engine = server._engine
            temporary = "SELECT table_name FROM duckdb_tables() WHERE temporary"
            for (name,) in engine.execute(temporary).fetchall():
                engine.execute(f'DROP TABLE IF EXISTS temp.main."{name}"')


jobs.execute_query_job = alone


# Rows come by a thread of their own: so by a connection of its own.
def flush(self, stream, rows):
    table = sql_identifiers.quoted_table_ref(stream.project_id, stream.dataset_id, stream.table_id)
    with self._write_lock:
        appending.register("appended", rows)
        try:
            appending.execute(f"INSERT INTO {table} SELECT * FROM appended")
        finally:
            appending.unregister("appended")


write_servicer.BigQueryWriteHandler._flush_to_target = flush
appending = None


async def main():
    global appending, server
    settings = Settings(rest_port=0, grpc_port=0, enable_format_extensions=False, default_project_id="p",
                        log_level="critical", metrics_enabled=False, write_api_max_request_bytes=10_000_000)
    server = EmulatorServer(settings)
    await server.start()
    appending = server._engine.connection.cursor()
    place = sys.argv[1]
    with open(place + ".new", "w") as ports:
        ports.write(f"{server.rest_port} {server.grpc_port}")
    os.rename(place + ".new", place)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


asyncio.run(main())
