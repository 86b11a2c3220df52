//! Views and tables ready to be pasted, beside the data: for DuckDB, and for Athena and Trino.
//!
//! They read whatever files lie in the table's folder, so they stay right when rows come; they are
//! written again when the table's layout changes.
//! Deliberately absent: lists of files, which every load would make wrong.

use tributary_model::{DataType, TableColumn};

use crate::partition::Term;
use crate::place;
use crate::sql::{current_rows, literal, quote, type_name};
use crate::table::{Definition, OP, ORDER};
use tributary_store::Store;

/// The texts that belong to a table: a key, and what is to be there.
pub(crate) fn of(store: &dyn Store, definition: &Definition) -> Vec<(String, String)> {
    let table = &definition.table;
    let folder = store.address(&place::folder(table));
    let mut texts = vec![(place::view(table, "duckdb"), duckdb(definition, &folder))];
    if folder.starts_with("s3://") {
        texts.push((place::view(table, "athena"), athena(definition, &folder)));
    }
    texts
}

/// A view for DuckDB.
fn duckdb(definition: &Definition, folder: &str) -> String {
    let table = &definition.table;
    let columns = definition.columns().iter().map(|column| {
        let name = quote(&column.name);
        let data_type = type_name(column.data_type);
        match (column.name.as_str(), &column.default) {
            // Rows from before the table was a change log.
            (OP | ORDER, Some(default)) if definition.is_change_log() => format!(
                "CAST(coalesce({name}, {}) AS {data_type}) AS {name}",
                literal(default)
            ),
            _ => format!("CAST({name} AS {data_type}) AS {name}"),
        }
    });
    let files = format!(
        "SELECT {} FROM read_parquet({}, union_by_name = true, hive_partitioning = false)",
        columns.collect::<Vec<_>>().join(", "),
        literal(&format!("{folder}**/*.parquet"))
    );
    let s3 = match folder.starts_with("s3://") {
        true => {
            "-- First: INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);\n"
        }
        false => "",
    };
    format!(
        "-- {table} for DuckDB, written by Tributary.\n{s3}CREATE SCHEMA IF NOT EXISTS {};\n\
         CREATE OR REPLACE VIEW {}.{} AS\n{};\n",
        quote(&table.schema),
        quote(&table.schema),
        quote(&table.table),
        current_rows(definition, &files)
    )
}

/// A table for Athena; of a change log a table of changes, and a view over it.
fn athena(definition: &Definition, folder: &str) -> String {
    let table = &definition.table;
    let is_log = definition.is_change_log();
    let name = match is_log {
        true => format!("{}__changes", table.table),
        false => table.table.clone(),
    };
    let folders = Folders::of(&definition.partitions, definition.columns());
    let columns = definition.columns().iter();
    let columns = columns
        .filter(|column| !folders.has(&column.name))
        .map(|column| format!("  {} {}", tick(&column.name), hive_type(column.data_type)));
    let mut text = format!(
        "-- {table} for Athena, written by Tributary.\nCREATE DATABASE IF NOT EXISTS {};\n\
         CREATE EXTERNAL TABLE IF NOT EXISTS {}.{} (\n{}\n)\n",
        tick(&table.schema),
        tick(&table.schema),
        tick(&name),
        columns.collect::<Vec<_>>().join(",\n")
    );
    text += &folders.clause();
    text += &format!("STORED AS PARQUET\nLOCATION {}\n", literal(folder));
    text += &folders.properties();
    text += ";\n";
    if folders.needs_repair() {
        text += &format!(
            "-- Again whenever there are new folders:\nMSCK REPAIR TABLE {}.{};\n",
            tick(&table.schema),
            tick(&name)
        );
    }
    if is_log {
        let (schema, changes) = (quote(&table.schema), quote(&name));
        let rows = current_rows(definition, &format!("SELECT * FROM {schema}.{changes}"));
        let view = quote(&table.table);
        text += &format!("CREATE OR REPLACE VIEW {schema}.{view} AS\n{rows};\n");
    }
    text
}

/// The folders that a table is divided into, as columns.
struct Folders {
    load_date: bool,
    /// Name and Hive's type.
    others: Vec<(String, String)>,
}

impl Folders {
    fn of(terms: &[Term], columns: &[TableColumn]) -> Self {
        let label = |term: &Term| {
            let label = term.label();
            let same = columns.iter().find(|column| column.name == label);
            let data_type = same.map_or("string".to_owned(), |column| hive_type(column.data_type));
            (label, data_type)
        };
        Self {
            load_date: terms.contains(&Term::LoadDate),
            others: terms
                .iter()
                .filter(|term| **term != Term::LoadDate)
                .map(label)
                .collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.others.iter().any(|(label, _)| label == name)
    }

    fn needs_repair(&self) -> bool {
        !self.others.is_empty()
    }

    fn clause(&self) -> String {
        let date = self
            .load_date
            .then(|| format!("{} string", tick(&Term::LoadDate.label())));
        let others = self
            .others
            .iter()
            .map(|(name, kind)| format!("{} {kind}", tick(name)));
        let all: Vec<String> = date.into_iter().chain(others).collect();
        match all.is_empty() {
            true => String::new(),
            false => format!("PARTITIONED BY ({})\n", all.join(", ")),
        }
    }

    /// Days need not be announced: Athena can count them.
    fn properties(&self) -> String {
        if !self.load_date || self.needs_repair() {
            return String::new();
        }
        let label = Term::LoadDate.label();
        format!(
            "TBLPROPERTIES (\n  'projection.enabled' = 'true',\n  'projection.{label}.type' = 'date',\n  \
             'projection.{label}.format' = 'yyyy-MM-dd',\n  \
             'projection.{label}.range' = '2020-01-01,NOW+1DAYS'\n)"
        )
    }
}

fn tick(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Hive's name of a type, as Athena reads it from Parquet.
fn hive_type(data_type: DataType) -> String {
    match data_type {
        DataType::Bool => "boolean".to_owned(),
        DataType::Int16 | DataType::Int32 => "int".to_owned(),
        // Of times the microseconds since midnight: Athena has no such type.
        DataType::Int64 | DataType::UInt64 | DataType::Time => "bigint".to_owned(),
        DataType::Decimal(digits, scale) => format!("decimal({digits},{scale})"),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date => "date".to_owned(),
        DataType::Timestamp | DataType::TimestampTz => "timestamp".to_owned(),
        DataType::Text | DataType::Json => "string".to_owned(),
        DataType::Bytes => "binary".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::{Deletes, Mode, StreamName, TableName, TablePlan};

    use super::*;
    use crate::config::{Format, MergeBy};

    fn definition(merge: MergeBy, partitions: &[&str]) -> Definition {
        let column = |name: &str, data_type| TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        let plan = TablePlan {
            stream: StreamName::within("shop", "orders"),
            table: TableName {
                schema: "shop".to_owned(),
                table: "odd \"orders\"".to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Soft,
            columns: vec![
                column("id", DataType::Int64),
                column("country", DataType::Text),
                column("total", DataType::Decimal(14, 2)),
            ],
            key: vec!["id".to_owned()],
        };
        let mut definition = Definition::new(&plan);
        definition.merge = merge;
        definition
            .follow(&plan, Format::Parquet)
            .expect("a new table can follow");
        let parse = |term: &&str| term.parse().expect("a term");
        definition.partitions = partitions.iter().map(parse).collect();
        definition
    }

    #[test]
    fn a_table_of_rows() {
        let definition = definition(MergeBy::CopyOnWrite, &["tributary_date"]);
        insta::assert_snapshot!(duckdb(&definition, "s3://acme/raw/shop/orders/"));
        insta::assert_snapshot!(athena(&definition, "s3://acme/raw/shop/orders/"));
    }

    #[test]
    fn a_change_log_has_a_view() {
        let definition = definition(MergeBy::ChangeLog, &["country", "bucket(8, id)"]);
        insta::assert_snapshot!(duckdb(&definition, "/data/shop/orders/"));
        insta::assert_snapshot!(athena(&definition, "s3://acme/raw/shop/orders/"));
    }
}
