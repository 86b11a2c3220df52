//! The settings of a DuckDB destination.

use std::num::NonZeroU16;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::{Error, ErrorKind, Result};

/// Enough for merges of a million rows, and little beside the rest of the process.
const MEMORY_LIMIT: &str = "96MB";
/// The units that DuckDB knows.
const UNITS: [&str; 9] = ["b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"];

/// A DuckDB database file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database file. It is made if it is not there; its directory must be.
    pub path: PathBuf,
    /// The most memory that DuckDB may use, such as `96MB` or `1GB`. What does not fit is kept in a
    /// folder beside the file while it is needed.
    #[serde(default = "memory_limit")]
    pub memory_limit: String,
    /// How many threads DuckDB may use. More threads finish large merges sooner and take more
    /// memory and more processor time in all.
    #[serde(default = "threads")]
    pub threads: NonZeroU16,
}

fn memory_limit() -> String {
    MEMORY_LIMIT.to_owned()
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
            memory_limit: memory_limit(),
            threads: threads(),
        }
    }

    /// # Errors
    /// [`ErrorKind::Config`] where a setting can't be meant.
    pub(crate) fn validate(&self) -> Result<()> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        match name {
            Some(":memory:") | None => Err(Error::new(
                ErrorKind::Config,
                format!("`path: {}` does not name a file", self.path.display()),
            )
            .fix("Give `path` a file to write, e.g. `path: warehouse.duckdb`.")),
            Some(_) if !is_size(&self.memory_limit) => Err(Error::new(
                ErrorKind::Config,
                format!("`memory_limit: {}` is not a size", self.memory_limit),
            )
            .fix("Write a number and a unit, e.g. `memory_limit: 512MB`.")),
            Some(_) => Ok(()),
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
        assert_eq!(
            (config.memory_limit.as_str(), config.threads.get()),
            (MEMORY_LIMIT, 1)
        );
        assert!(serde_json::from_str::<Config>(r#"{"path": "a", "pat": "b"}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"path": "a", "threads": 0}"#).is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |path: &str, memory_limit: &str| {
            let config = Config {
                memory_limit: memory_limit.to_owned(),
                ..Config::new(path)
            };
            config.validate().is_err()
        };
        assert!(refused(":memory:", "1GB") && refused("/", "1GB") && refused("", "1GB"));
        assert!(
            refused("a.duckdb", "lots") && refused("a.duckdb", "64") && refused("a.duckdb", "-1GB")
        );
        assert!(!refused("a.duckdb", "1.5 GiB") && !refused("/data/a.duckdb", "64MB"));
    }
}
