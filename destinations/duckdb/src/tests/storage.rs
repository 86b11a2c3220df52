//! The format of files: chosen when one is made, kept ever after.

use tributary_model::{ConnectionName, Destination};

use crate::DuckDb;
use crate::config::Config;
use crate::file::connect;

fn config(path: &std::path::Path, version: &str) -> Config {
    Config {
        storage_version: version.to_owned(),
        ..Config::new(path)
    }
}

fn version_of(config: &Config) -> String {
    let connection = connect(&config.path, config, duckdb::AccessMode::ReadOnly).unwrap();
    let ask = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal";
    connection.query_row(ask, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_file_keeps_the_format_it_was_made_in() {
    let dir = tempfile::tempdir().unwrap();
    let connection = ConnectionName::new("shop");
    for made in ["v1.0.0", "v1.3.0", "v1.5.0"] {
        let path = dir.path().join(format!("{made}.duckdb"));
        for opened in [made, "v1.3.0"] {
            let config = config(&path, opened);
            let database = DuckDb::connect(config.clone()).await.unwrap();
            database.open(&connection).await.unwrap();
            drop(database);
            assert_eq!(
                version_of(&config),
                format!("{made}+"),
                "opened as {opened}"
            );
        }
    }
}
