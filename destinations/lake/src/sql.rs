//! The text of views: how DuckDB reads a table's files, whatever layout each was written with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tributary_model::{DataType, Deletes, TableColumn};
use tributary_sql::{DELETED, SYNCED_AT};

use crate::table::{Definition, OP, ORDER, Table};

/// Where DuckDB finds objects, by their keys.
pub(crate) type Paths = BTreeMap<String, PathBuf>;

/// The statement that makes a schema.
pub(crate) fn schema(name: &str) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {}", quote(name))
}

/// The statement that makes the view of a table over exactly these files.
pub(crate) fn view(table: &Table, paths: &Paths) -> String {
    let definition = &table.definition;
    let columns = definition.columns();
    let mut alike: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    let mut parts: Vec<String> = Vec::new();
    let part = |layout, from: String, conditions: Vec<String>| {
        let written = definition.layouts.get(layout);
        let select = select(columns, written.map_or(columns, Vec::as_slice));
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!("SELECT {select} FROM {from} AS file{conditions}")
    };
    for file in table.files.values() {
        let deletes = table.equality_deletes.iter();
        let newer = deletes.filter(|deletes| deletes.since > file.since).count();
        let deleted = file.deleted.as_ref();
        let deleted = deleted.and_then(|deleted| paths.get(&deleted.key));
        match (paths.get(&file.key), deleted) {
            (None, _) => {}
            (Some(path), None) => {
                let same = alike.entry((file.layout, newer)).or_default();
                same.push(pattern(path));
            }
            (Some(path), Some(deleted)) => {
                let from = format!(
                    "read_parquet({}, hive_partitioning = false, file_row_number = true)",
                    pattern(path)
                );
                let mut conditions = vec![format!(
                    "file_row_number NOT IN (SELECT pos FROM read_parquet({}))",
                    pattern(deleted)
                )];
                conditions.extend(not_erased(table, newer, paths));
                parts.push(part(file.layout, from, conditions));
            }
        }
    }
    parts.extend(alike.into_iter().map(|((layout, newer), files)| {
        let from = format!(
            "read_parquet([{}], hive_partitioning = false)",
            files.join(", ")
        );
        part(layout, from, not_erased(table, newer, paths))
    }));
    if parts.is_empty() {
        parts.push(format!("SELECT {} WHERE false", select(columns, &[])));
    }
    let (schema, name) = (
        quote(&definition.table.schema),
        quote(&definition.table.table),
    );
    let rows = current_rows(definition, &parts.join(" UNION ALL "));
    format!("CREATE OR REPLACE VIEW {schema}.{name} AS {rows}")
}

/// What rows of `file` must be so that none of the newest files of keys has theirs.
fn not_erased(table: &Table, newest: usize, paths: &Paths) -> Vec<String> {
    let mut by_columns: BTreeMap<&Vec<String>, Vec<String>> = BTreeMap::new();
    for deletes in table.equality_deletes.iter().rev().take(newest) {
        if let Some(path) = paths.get(&deletes.key) {
            let same = by_columns.entry(&deletes.columns).or_default();
            same.push(pattern(path));
        }
    }
    let each = by_columns.into_iter().map(|(columns, files)| {
        let same = columns.iter().map(|name| {
            let name = quote(name);
            format!("gone.{name} = file.{name}")
        });
        format!(
            "NOT EXISTS (SELECT 1 FROM read_parquet([{}], union_by_name = true) AS gone WHERE {})",
            files.join(", "),
            same.collect::<Vec<_>>().join(" AND ")
        )
    });
    each.collect()
}

/// What the rows of a table are, told from all rows of its files; for any SQL that has windows.
///
/// Of a change log that is, for each key, the newest row that is no delete. Where deletes only
/// mark, a key of which there are nothing but deletes is the first of these.
pub(crate) fn current_rows(definition: &Definition, files: &str) -> String {
    if !definition.is_change_log() {
        return files.to_owned();
    }
    let (op, order) = (quote(OP), quote(ORDER));
    let key: Vec<String> = definition.key.iter().map(|name| quote(name)).collect();
    let of_key = format!("PARTITION BY {}", key.join(", "));
    let is_soft = definition.deletes() == Deletes::Soft;
    let columns = definition
        .columns()
        .iter()
        .map(|column| match column.name.as_str() {
            // What came last says whether the row is there, and since when.
            DELETED if is_soft => format!(
                "(coalesce({deleted}, false) OR {newest} <> {order} OR {order} < {}) AS {deleted}",
                definition.marked_before,
                deleted = quote(DELETED),
                newest = quote(NEWEST)
            ),
            SYNCED_AT if is_soft => format!("{} AS {}", quote(TOUCHED), quote(SYNCED_AT)),
            name => quote(name),
        });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let (rank, only) = match is_soft {
        true => (
            format!(
                "CASE WHEN {op} = 'd' THEN 1 ELSE 0 END, CASE WHEN {op} = 'd' THEN {order} ELSE -{order} END"
            ),
            String::new(),
        ),
        false => (format!("{order} DESC"), format!(" AND {op} <> 'd'")),
    };
    format!(
        "SELECT {columns} FROM (SELECT *, row_number() OVER ({of_key} ORDER BY {rank}) AS {place}, \
         max({order}) OVER ({of_key}) AS {newest}, max({synced}) OVER ({of_key}) AS {touched} \
         FROM ({files}) AS changes) AS ranked WHERE {place} = 1{only}",
        place = quote(PLACE),
        newest = quote(NEWEST),
        synced = quote(SYNCED_AT),
        touched = quote(TOUCHED),
    )
}

/// Columns that a view of a change log makes on its way.
const PLACE: &str = "_tributary_place";
const NEWEST: &str = "_tributary_newest";
const TOUCHED: &str = "_tributary_touched";

/// The columns of a table from files that were written with `written` ones.
fn select(columns: &[TableColumn], written: &[TableColumn]) -> String {
    let each = columns.iter().map(|column| {
        let name = quote(&column.name);
        let data_type = type_name(column.data_type);
        match (
            written.iter().find(|there| there.name == column.name),
            &column.default,
        ) {
            (Some(there), _) if there.data_type == column.data_type => name,
            (Some(_), _) => format!("CAST({name} AS {data_type}) AS {name}"),
            (None, Some(default)) if !written.is_empty() => {
                format!("CAST({} AS {data_type}) AS {name}", literal(default))
            }
            (None, _) => format!("CAST(NULL AS {data_type}) AS {name}"),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The statement that makes a table of the system as a view.
pub(crate) fn system_table(name: &str, paths: &[PathBuf]) -> String {
    let columns: &[(&str, &str)] = match name {
        "state" => &[
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("cursor", "JSON"),
            ("epoch", "UBIGINT"),
            ("sequence", "UBIGINT"),
            ("load_id", "VARCHAR"),
            ("format", "INTEGER"),
            ("written_by", "VARCHAR"),
            ("updated_at", "TIMESTAMP WITH TIME ZONE"),
        ],
        "loads" => &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("sequence", "UBIGINT"),
            ("started_at", "TIMESTAMP WITH TIME ZONE"),
            ("committed_at", "TIMESTAMP WITH TIME ZONE"),
            ("duration_seconds", "DOUBLE"),
            ("rows_read", "UBIGINT"),
            ("rows_written", "UBIGINT"),
            ("rows_rejected", "UBIGINT"),
            ("bytes_read", "UBIGINT"),
            ("from_cursor", "JSON"),
            ("to_cursor", "JSON"),
            ("streams", "JSON"),
        ],
        "rejected" => &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("table", "VARCHAR"),
            ("column", "VARCHAR"),
            ("value", "VARCHAR"),
            ("reason", "VARCHAR"),
            ("row", "JSON"),
            ("hidden", "JSON"),
            ("key", "VARCHAR"),
            ("rejected_at", "TIMESTAMP WITH TIME ZONE"),
        ],
        _ => &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("table", "VARCHAR"),
            ("column", "VARCHAR"),
            ("change", "VARCHAR"),
            ("from_type", "VARCHAR"),
            ("to_type", "VARCHAR"),
            ("changed_at", "TIMESTAMP WITH TIME ZONE"),
        ],
    };
    let body = if paths.is_empty() {
        let none = columns
            .iter()
            .map(|(name, data_type)| format!("CAST(NULL AS {data_type}) AS {}", quote(name)));
        format!("SELECT {} WHERE false", none.collect::<Vec<_>>().join(", "))
    } else {
        let types = columns
            .iter()
            .map(|(name, data_type)| format!("{}: {}", quote(name), literal(data_type)));
        let paths = paths.iter().map(|path| pattern(path));
        format!(
            "SELECT * FROM read_json([{}], format = 'newline_delimited', maximum_object_size = {MAXIMUM}, columns = {{{}}})",
            paths.collect::<Vec<_>>().join(", "),
            types.collect::<Vec<_>>().join(", ")
        )
    };
    format!(
        "CREATE OR REPLACE VIEW _tributary.{} AS {body}",
        quote(name)
    )
}

/// The longest line of JSON that DuckDB is told to expect, bytes.
const MAXIMUM: u64 = 256 << 20;

/// DuckDB's name of a type.
pub(crate) fn type_name(data_type: DataType) -> String {
    match data_type {
        DataType::Bool => "BOOLEAN".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt64 => "UBIGINT".to_owned(),
        DataType::Decimal(digits, scale) => format!("DECIMAL({digits}, {scale})"),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date => "DATE".to_owned(),
        DataType::Time => "TIME".to_owned(),
        DataType::Timestamp => "TIMESTAMP".to_owned(),
        DataType::TimestampTz => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Text => "VARCHAR".to_owned(),
        DataType::Bytes => "BLOB".to_owned(),
        DataType::Json => "JSON".to_owned(),
    }
}

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A path as a pattern that matches it alone.
fn pattern(path: &Path) -> String {
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '*' | '?' | '[' => pattern.push_str(&format!("[{c}]")),
            other => pattern.push(other),
        }
    }
    literal(&pattern)
}
