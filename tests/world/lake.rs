//! Lakes beside the program's configuration, as readers see them who know nothing but the files
//! (Parquet) or the catalog (Iceberg).

use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use serde_json::{Value, json};
use tributary_testkit::python;
use tributary_testkit::s3::{Options, S3Server};

use super::{Setup, World};

/// The folder of a lake, and that of a copy of its bucket.
const FOLDER: &str = "lake";
const BUCKET: &str = "lake";
/// What all keys in the bucket begin with.
const PREFIX: &str = "raw";
/// The catalog of an Iceberg lake in a bucket.
const CATALOG: &str = "catalog.db";

/// Reads tables of a catalog into files of Parquet.
const PYICEBERG: &str = r#"
import json, sys
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"], **spec["s3"])
for name, into in spec["tables"]:
    rows = catalog.load_table(tuple(name.split("."))).scan().to_arrow()
    pq.write_table(rows, into)
print(json.dumps(None))
"#;

/// How tables are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Iceberg,
}

/// A lake in a folder or in a bucket.
#[derive(Debug)]
pub(crate) struct Lake {
    format: Format,
    /// Lives in the test's process, and so outlives a program that is killed.
    pub(crate) bucket: Option<S3Server>,
}

impl Lake {
    /// A lake in the folder `lake`.
    pub(crate) fn folder(format: Format) -> Self {
        let bucket = None;
        Self { format, bucket }
    }

    /// A lake in a bucket of a server of its own.
    pub(crate) fn bucket(format: Format) -> Self {
        let bucket = Some(S3Server::start(Options::default()));
        Self { format, bucket }
    }

    /// The settings of the destination, in YAML's flow style.
    fn settings(&self) -> String {
        let format = match (self.format, &self.bucket) {
            (Format::Parquet, _) => "format: parquet".to_owned(),
            (Format::Iceberg, None) => "format: iceberg".to_owned(),
            (Format::Iceberg, Some(_)) => {
                format!("format: iceberg, catalog: {{type: sqlite, path: ./{CATALOG}}}")
            }
        };
        let Some(server) = &self.bucket else {
            return format!("type: lake, url: ./{FOLDER}, {format}");
        };
        let (endpoint, keys) = (server.endpoint(), server.credentials());
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        format!(
            "type: lake, url: \"s3://{BUCKET}/{PREFIX}\", endpoint: \"{endpoint}\", \
             region: us-east-1, access_key_id: {id}, secret_access_key: {secret}, {format}"
        )
    }

    /// How pyiceberg and pyarrow reach the bucket.
    pub(crate) fn for_python(&self) -> Value {
        let Some(server) = &self.bucket else {
            return json!({});
        };
        json!({
            "s3.endpoint": server.endpoint(),
            "s3.region": "us-east-1",
            "s3.access-key-id": server.credentials().access_key_id,
            "s3.secret-access-key": server.credentials().secret_access_key,
        })
    }
}

impl World {
    /// Writes a configuration whose destination is a lake in a folder; `settings` are more of its
    /// settings.
    pub(crate) fn configure_lake(&self, setup: Setup<'_>, settings: &str) {
        self.configure_lake_in(&Lake::folder(Format::Parquet), setup, settings);
    }

    /// Writes a configuration whose destination is `lake`.
    pub(crate) fn configure_lake_in(&self, lake: &Lake, setup: Setup<'_>, settings: &str) {
        let destination = format!("{{{}, {settings}}}", lake.settings());
        let yaml = self.yaml(setup);
        let yaml = yaml.replace("{type: duckdb, path: warehouse.duckdb}", &destination);
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
        self.read_lake_in(&Lake::folder(Format::Parquet), tables);
    }

    /// The same of any lake; tables of Iceberg are read by pyiceberg, through their catalog.
    pub(crate) fn read_lake_in(&self, lake: &Lake, tables: &[&str]) {
        // What was read before is of no interest, and may not be there.
        let _ = fs::remove_file(self.file());
        if let Some(server) = &lake.bucket {
            self.mirror(server);
        }
        let globs = match lake.format {
            Format::Parquet => tables.iter().map(|name| self.glob(name)).collect(),
            Format::Iceberg => self.read_by_pyiceberg(lake, tables),
        };
        let connection = Connection::open(self.file()).unwrap();
        for (name, glob) in tables.iter().zip(globs) {
            let (schema, _) = name.split_once('.').unwrap();
            connection
                .execute_batch(&format!(
                    "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {name} AS SELECT * FROM \
                     read_parquet('{glob}', union_by_name = true, hive_partitioning = false)"
                ))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        connection
            .execute_batch("CREATE SCHEMA _tributary")
            .unwrap();
        read_loads(&connection, &self.lake());
    }

    /// All files of a table.
    pub(crate) fn glob(&self, name: &str) -> String {
        let (schema, table) = name.split_once('.').unwrap();
        let glob = self.lake().join(schema).join(table).join("**/*.parquet");
        glob.display().to_string()
    }

    /// Where the catalog of an Iceberg lake is.
    pub(crate) fn catalog(&self, lake: &Lake) -> PathBuf {
        match lake.bucket {
            None => self.lake().join("_tributary/iceberg.db"),
            Some(_) => self.program.path(CATALOG),
        }
    }

    /// Copies what a listing of the bucket shows into the lake's folder.
    fn mirror(&self, server: &S3Server) {
        let _ = fs::remove_dir_all(self.lake());
        for key in server.keys(BUCKET) {
            let bytes = server.get(BUCKET, &key).unwrap();
            let name = key.strip_prefix(PREFIX).unwrap().trim_start_matches('/');
            let path = self.lake().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    fn read_by_pyiceberg(&self, lake: &Lake, tables: &[&str]) -> Vec<String> {
        let into = |name: &&str| {
            let path = self.program.path(&format!("pyiceberg-{name}.parquet"));
            path.display().to_string()
        };
        let files: Vec<String> = tables.iter().map(into).collect();
        let tables: Vec<_> = tables.iter().zip(&files).collect();
        let catalog = self.catalog(lake).display().to_string();
        let input = json!({"catalog": catalog, "s3": lake.for_python(), "tables": tables});
        let _ = python::run(PYICEBERG, &input);
        files
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
