//! `tributary.yaml` in, [`Plan`] out.
//!
//! The file is read with the place of every value remembered, overlaid with the environment's
//! `TRIBUTARY__…` variables, filled in (`${NAME}`, `file:…`), held against the JSON Schema of the
//! document, and only then turned into types. Every mistake found on the way is reported at once,
//! with file, line and column; a value that may be secret is never part of a report.
//!
//! Deliberately absent: the environment itself and the list of connectors (both are arguments),
//! and any contact with a source or destination.

mod alerts;
mod attempts;
mod checks;
mod column;
mod cron;
mod duration;
mod error;
mod excerpt;
mod file;
mod files;
mod interpolate;
mod kinds;
mod layers;
mod load;
mod marks;
mod outline;
mod path;
mod plan;
mod redact;
mod rejections;
mod report;
mod scalar;
mod schedule;
mod schema;
mod size;
mod suggest;
mod table;
mod telemetry;
mod validate;
mod window;
mod written;
mod yaml;
mod zone;

pub use alerts::{AlertEvent, AlertFormat, AlertPlan};
pub use attempts::Attempts;
pub use cron::Cron;
pub use error::{Place, Problem, Problems};
pub use kinds::{KindSpec, Kinds};
pub use layers::Environment;
pub use load::{load, parse};
pub use outline::{NamedFile, Need, Outline, Start, outline};
pub use plan::{ConnectionPlan, Daemon, EndPlan, Plan};
pub use schedule::Schedule;
pub use schema::document_schema;
pub use suggest::nearest;
pub use telemetry::{Lineage, Telemetry};
pub use window::Window;
