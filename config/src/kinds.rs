//! What kinds of source and destination there are: a table that the caller hands in.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_model::{Destination, Error, Fault, Mode, Place, Severity, Source};

/// What a schema says of a setting that names a file.
const FILE: &str = "file";

/// One `type:`.
pub struct KindSpec {
    /// The word after `type:`.
    pub name: &'static str,
    /// The JSON Schema of its settings, without `type` and without references.
    pub schema: Schema,
    /// Whether `where` of a stream means anything to it.
    pub(crate) filters: bool,
    /// What is wrong with a `where`.
    pub(crate) filter_fault: fn(&str) -> Option<Error>,
    /// The modes that a destination keeps tables in.
    pub(crate) modes: &'static [Mode],
    accept: Accept,
    place: Locate,
}

/// Finds where on this machine's disk a destination keeps its data.
type Locate = fn(&Value) -> Option<Place>;

/// Finds what is wrong with settings that fit their schema.
type Accept = Box<dyn Fn(&Value) -> Vec<Misfit> + Send + Sync>;

/// Why settings that fit the schema are still not those of their kind.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Keys that lead to the place.
    pub(crate) keys: Vec<String>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) severity: Severity,
}

impl KindSpec {
    /// The kind of a source.
    #[must_use]
    pub fn source<S: Source>() -> Self {
        let kind = Self::of(S::KIND, S::faults);
        match S::FILTERS {
            true => Self {
                filter_fault: S::filter_fault,
                ..kind.filtering()
            },
            false => kind,
        }
    }

    /// The kind of a destination.
    #[must_use]
    pub fn destination<D: Destination>() -> Self {
        Self::of(D::KIND, D::faults)
            .keeping(D::MODES)
            .kept(|settings| D::place(&serde_json::from_value(settings.clone()).ok()?))
    }

    /// The kind `name`, whose settings are a `C`, of which `faults` knows more than a schema says.
    #[must_use]
    pub fn of<C>(name: &'static str, faults: fn(&C) -> Vec<Fault>) -> Self
    where
        C: JsonSchema + DeserializeOwned + 'static,
    {
        let mut settings = SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        Self {
            name,
            schema: settings.into_generator().into_root_schema_for::<C>(),
            filters: false,
            filter_fault: |_| None,
            modes: &[Mode::Merge, Mode::Append, Mode::Replace, Mode::History],
            accept: Box::new(move |settings| accept(settings, faults)),
            place: |_| None,
        }
    }

    /// Where on the machine's own disk a destination with these settings keeps its data, where it
    /// does.
    #[must_use]
    pub fn place(&self, settings: &Value) -> Option<Place> {
        (self.place)(settings)
    }

    /// Whether the setting `key` names a file that starts at the folder of the configuration.
    pub(crate) fn names_file(&self, key: &str) -> bool {
        let properties = self.schema.get("properties");
        let format = properties.and_then(|all| all.get(key)?.get("format")?.as_str());
        format == Some(FILE)
    }

    /// The same kind, to which `where` of a stream means something.
    #[must_use]
    pub fn filtering(self) -> Self {
        Self {
            filters: true,
            ..self
        }
    }

    /// The same kind, which keeps tables in these modes only.
    #[must_use]
    pub fn keeping(self, modes: &'static [Mode]) -> Self {
        Self { modes, ..self }
    }

    /// The same kind, which keeps its data on the machine's own disk where `place` says so.
    #[must_use]
    pub fn kept(self, place: fn(&Value) -> Option<Place>) -> Self {
        Self { place, ..self }
    }

    /// Turns the settings into their type and looks at that: what the schema can't say is found
    /// here.
    pub(crate) fn accept(&self, settings: &Value) -> Vec<Misfit> {
        (self.accept)(settings)
    }
}

impl std::fmt::Debug for KindSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindSpec")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All the kinds there are.
#[derive(Debug, Default)]
pub struct Kinds {
    /// Of sources.
    pub sources: Vec<KindSpec>,
    /// Of destinations.
    pub destinations: Vec<KindSpec>,
}

fn accept<C: DeserializeOwned>(settings: &Value, faults: fn(&C) -> Vec<Fault>) -> Vec<Misfit> {
    match serde_path_to_error::deserialize(settings) {
        Ok(settings) => faults(&settings).into_iter().map(Misfit::from).collect(),
        Err(error) => vec![misfit(&error)],
    }
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Misfit {
    let keys = error.path().iter().filter_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        _ => None,
    });
    Misfit {
        keys: keys.collect(),
        message: error.inner().to_string(),
        help: None,
        severity: Severity::Mistake,
    }
}

impl From<Fault> for Misfit {
    fn from(fault: Fault) -> Self {
        let of = |error: &Error| match error.why() {
            Some(why) => format!("{} ({why})", error.what()),
            None => error.what(),
        };
        Self {
            keys: fault.keys.iter().map(|&key| key.to_owned()).collect(),
            message: of(&fault.error),
            help: fault.error.help().map(ToOwned::to_owned),
            severity: fault.severity,
        }
    }
}
