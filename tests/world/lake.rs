//! A lake beside the program's configuration, as a reader sees it who knows nothing but its files.

use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;

use super::{Setup, World};

/// The folder of the lake.
const FOLDER: &str = "lake";

impl World {
    /// Writes a configuration whose destination is a lake; `settings` are more of its settings.
    pub(crate) fn configure_lake(&self, setup: Setup<'_>, settings: &str) {
        let lake = format!("{{type: lake, url: ./{FOLDER}, {settings}}}");
        let yaml = self.yaml(setup);
        let yaml = yaml.replace("{type: duckdb, path: warehouse.duckdb}", &lake);
        assert!(yaml.contains("type: lake"), "{yaml}");
        self.program.write("tributary.yaml", &yaml);
    }

    /// The lake's folder.
    pub(crate) fn lake(&self) -> PathBuf {
        self.program.path(FOLDER)
    }

    /// Reads whatever Parquet files lie in the folders of `tables` (as `schema.table`) into tables
    /// of the DuckDB file, and the system's rows with them.
    pub(crate) fn read_lake(&self, tables: &[&str]) {
        // What was read before is of no interest, and may not be there.
        let _ = fs::remove_file(self.file());
        let connection = Connection::open(self.file()).unwrap();
        for name in tables {
            let (schema, table) = name.split_once('.').unwrap();
            let glob = self.lake().join(schema).join(table).join("**/*.parquet");
            connection
                .execute_batch(&format!(
                    "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {name} AS SELECT * FROM \
                     read_parquet('{}', union_by_name = true, hive_partitioning = false)",
                    glob.display()
                ))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        connection
            .execute_batch("CREATE SCHEMA _tributary")
            .unwrap();
        read_loads(&connection, &self.lake());
    }
}

/// The columns that tests ask for.
const COLUMNS: &str = "load_id: 'VARCHAR', sequence: 'UBIGINT', rows_read: 'UBIGINT', \
    rows_written: 'UBIGINT', rows_rejected: 'UBIGINT', to_cursor: 'JSON'";

fn read_loads(connection: &Connection, lake: &Path) {
    let glob = lake.join("_tributary/loads/**/*.json");
    connection
        .execute_batch(&format!(
            "CREATE TABLE _tributary.loads AS SELECT * FROM read_json('{}', columns = {{{COLUMNS}}})",
            glob.display()
        ))
        .unwrap_or_else(|error| panic!("_tributary.loads: {error}"));
}
