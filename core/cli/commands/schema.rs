//! `tributary schema`: the JSON Schema of the configuration.

use crate::exit::Exit;
use crate::{output, registry};

pub(crate) fn run() -> Exit {
    output::print_json(&tributary_config::document_schema(&registry::kinds()));
    Exit::Done
}
