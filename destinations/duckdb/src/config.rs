//! The settings of a DuckDB destination.

use std::num::NonZeroU16;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::{Error, ErrorKind, Result};

/// The units that DuckDB knows.
const UNITS: [&str; 9] = ["b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"];
/// The file formats that can be asked for; each is readable by DuckDB from that version on.
const VERSIONS: [&str; 6] = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0"];
/// Writing takes a fifth less processor time than in older formats; newer ones add nothing to it.
const VERSION: &str = "v1.3.0";

/// A DuckDB database file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database file. It is made if it is not there; its directory must be.
    pub path: PathBuf,
    /// The most memory that DuckDB may use, such as `256MB` or `1GB`; by default as little as the
    /// tables' columns allow, from 72MB on. What does not fit is kept in a folder beside the file
    /// while it is needed.
    #[serde(default)]
    pub memory_limit: Option<String>,
    /// How many threads DuckDB may use. More threads finish large merges sooner and take more
    /// memory and more processor time in all.
    #[serde(default = "threads")]
    pub threads: NonZeroU16,
    /// The oldest DuckDB that must be able to open the file, from `v1.0.0` to `v1.5.0`. It counts
    /// when the file is made; a file that is there keeps its format.
    #[serde(default = "version")]
    pub storage_version: String,
}

fn version() -> String {
    VERSION.to_owned()
}

fn threads() -> NonZeroU16 {
    NonZeroU16::MIN
}

impl Config {
    /// A destination at `path` with the usual limits.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            memory_limit: None,
            threads: threads(),
            storage_version: version(),
        }
    }

    /// # Errors
    /// [`ErrorKind::Config`] where a setting can't be meant.
    pub(crate) fn validate(&self) -> Result<()> {
        match self.path.file_stem().and_then(|stem| stem.to_str()) {
            None | Some(":memory:") => {
                let shown = self.path.display();
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("`path: {shown}` does not name a file"),
                )
                .fix("Give `path` a file to write, e.g. `path: warehouse.duckdb`."));
            }
            // DuckDB calls the database after the file: the schema could not be told from it.
            Some(stem) if stem.eq_ignore_ascii_case("_tributary") => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the file of `path` has the name of the schema `_tributary`",
                )
                .fix("Give the file another name, e.g. `path: warehouse.duckdb`."));
            }
            Some(_) => {}
        }
        if !VERSIONS.contains(&self.storage_version.as_str()) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("`storage_version: {}` is not one", self.storage_version),
            )
            .fix(format!("Write one of {}.", VERSIONS.join(", "))));
        }
        match &self.memory_limit {
            Some(limit) if !is_size(limit) => Err(Error::new(
                ErrorKind::Config,
                format!("`memory_limit: {limit}` is not a size"),
            )
            .fix("Write a number and a unit, e.g. `memory_limit: 512MB`.")),
            Some(_) | None => Ok(()),
        }
    }
}

fn is_size(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    number.parse::<f64>().is_ok_and(|number| number > 0.0) && UNITS.contains(&unit.trim())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_strangers() {
        let config: Config = serde_json::from_str(r#"{"path": "a.duckdb"}"#).unwrap();
        assert_eq!((config.memory_limit, config.threads.get()), (None, 1));
        assert!(serde_json::from_str::<Config>(r#"{"path": "a", "pat": "b"}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"path": "a", "threads": 0}"#).is_err());
    }

    #[test]
    fn a_version_of_the_file_is_one_that_there_is() {
        let config = |version: &str| Config {
            storage_version: version.to_owned(),
            ..Config::new("a.duckdb")
        };
        assert!(Config::new("a.duckdb").validate().is_ok());
        assert!(config("v1.0.0").validate().is_ok());
        assert!(config("1.3").validate().is_err() && config("v9.0.0").validate().is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |path: &str, memory_limit: &str| {
            let config = Config {
                memory_limit: Some(memory_limit.to_owned()),
                ..Config::new(path)
            };
            config.validate().is_err()
        };
        assert!(refused("x/_tributary.db", "1GB"));
        assert!(refused(":memory:", "1GB") && refused("/", "1GB") && refused("", "1GB"));
        assert!(
            refused("a.duckdb", "lots") && refused("a.duckdb", "64") && refused("a.duckdb", "-1GB")
        );
        assert!(!refused("a.duckdb", "1.5 GiB") && !refused("/data/a.duckdb", "64MB"));
    }
}
