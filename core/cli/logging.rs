//! Logs, on stderr: lines for people, or one JSON object a line.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{LogFormat, LoggingArgs};
use crate::progress::Bars;

/// Installs logging for the whole process. A filter that can't be read falls back to the default
/// and says so.
pub(crate) fn start(args: &LoggingArgs, bars: &Bars) {
    // Bars say what the lines would.
    let default = if bars.shown() { "warn" } else { "info" };
    let asked = args.log_level.as_deref().filter(|level| !level.is_empty());
    let parsed = EnvFilter::try_new(asked.unwrap_or(default));
    let refused = parsed.is_err();
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr(bars.clone()))
        .with_target(false);
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match args.log_format {
        LogFormat::Text => builder.with_ansi(colour).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    if refused {
        tracing::warn!("the log level can't be read; logging at {default}");
    }
}

/// Stderr, without tearing the bars that may stand there.
#[derive(Clone)]
struct Stderr(Bars);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.aside(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
