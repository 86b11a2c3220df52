//! Results on stdout; failures on stderr, and on stdout too where a program is reading.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;
use tributary_engine::ErrorReport;

use crate::args::Format;
use crate::exit::{Exit, Failure};

/// Prints text for people. A reader that has gone (`| head`) is no failure.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints one JSON document.
pub(crate) fn print_json(document: &impl Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => print(&format!("{text}\n")),
        Err(why) => tracing::error!(%why, "the result can't be written as JSON"),
    }
}

/// Prints a result as asked.
pub(crate) fn present(format: Format, document: &impl Serialize, text: impl FnOnce() -> String) {
    match format {
        Format::Json => print_json(document),
        Format::Text => print(&text()),
    }
}

/// Says that a command was stopped before it had a result; the log has said so to people.
pub(crate) fn interrupted(format: Format) -> Exit {
    if format == Format::Json {
        let what = "interrupted before there was a result";
        print_json(&json!({ "error": { "kind": "interrupted", "what": what, "message": what } }));
    }
    Exit::Interrupted
}

/// Says on stderr, in plain text, why a command could not do what it was asked; and as the one
/// document on stdout where JSON was asked for.
pub(crate) fn explain(format: Format, failure: &Failure) -> Exit {
    let (text, document) = match failure {
        Failure::Configuration(problems) => (
            format!("{problems}\n"),
            json!({ "error": { "kind": "config", "file": problems.file, "problems": problems.problems } }),
        ),
        Failure::Error(error) => (
            format!("error: {error}\n"),
            json!({ "error": ErrorReport::from(error) }),
        ),
    };
    let _ = io::stderr().lock().write_all(text.as_bytes());
    if format == Format::Json {
        print_json(&document);
    }
    failure.exit()
}
