//! The settings of a source that its user has described.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Fault, Result};
use tributary_rest::{Api, Manifest, Settings};

/// An API that a manifest of yours describes: see `docs/add-a-connector.md`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file with the manifest; a relative name starts at the folder of the configuration.
    #[schemars(extend("format" = "file"))]
    pub(crate) manifest: PathBuf,
    /// What the manifest asks for under `config`.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Hidden>,
    /// Where the API is; by default where the manifest says.
    pub(crate) api_url: Option<String>,
    /// What is older than this day is not read; by default everything is.
    pub(crate) start_date: Option<String>,
}

/// A setting that may be a secret: only the manifest knows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(Value);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl JsonSchema for Hidden {
    fn schema_name() -> Cow<'static, str> {
        "Hidden".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Nothing is said of its type, and reports must not show it.
        json_schema!({"format": "password"})
    }
}

impl Config {
    /// The manifest's text.
    fn read_manifest(&self) -> Result<String> {
        std::fs::read_to_string(&self.manifest).map_err(|why| {
            let what = format!("the manifest {} can't be read", self.manifest.display());
            Error::new(ErrorKind::Config, what).because(why).fix(
                "Correct `manifest`; a relative name starts at the folder of the configuration.",
            )
        })
    }

    fn given(&self) -> Map<String, Value> {
        let given = self
            .settings
            .iter()
            .map(|(name, Hidden(value))| (name.clone(), value.clone()));
        let mut settings: Map<String, Value> = given.collect();
        for (name, value) in [("api_url", &self.api_url), ("start_date", &self.start_date)] {
            if let Some(value) = value {
                settings.insert(name.to_owned(), json!(value));
            }
        }
        settings
    }
}

impl Settings for Config {
    const KIND: &'static str = "rest";

    fn manifest(&self) -> Result<Manifest> {
        let text = self.read_manifest()?;
        Ok(Manifest::parse(&shown(&self.manifest), &text)?)
    }

    fn settings(&self) -> Result<Map<String, Value>> {
        Ok(self.given())
    }

    /// Everything that is wrong with the manifest, and with the settings for it.
    fn faults(&self) -> Vec<Fault> {
        let text = match self.read_manifest() {
            Ok(text) => text,
            Err(error) => return vec![Fault::mistake(&["manifest"], error)],
        };
        let manifest = match Manifest::parse(&shown(&self.manifest), &text) {
            Ok(manifest) => manifest,
            Err(problems) => {
                let faults = problems.problems.iter().map(|problem| {
                    let at = problem.at;
                    let what = format!(
                        "{}:{}:{}: {}",
                        problems.file, at.line, at.column, problem.message
                    );
                    let error = Error::new(ErrorKind::Config, what);
                    let error = match &problem.help {
                        Some(help) => error.fix(help.as_str()),
                        None => error,
                    };
                    Fault::mistake(&["manifest"], error)
                });
                return faults.collect();
            }
        };
        match Api::new(manifest, &self.given()) {
            Ok(_) => Vec::new(),
            Err(error) => vec![Fault::mistake(&["settings"], error)],
        }
    }
}

/// The name of a file in reports.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
