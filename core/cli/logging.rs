//! Logs, on stderr: lines for people, or one JSON object a line.

mod latest;

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};
use tributary_telemetry::Traces;

use crate::args::{LogFormat, LoggingArgs};
use crate::progress::Bars;

/// Installs logging for the whole process. A filter that can't be read falls back to the default
/// and says so. Spans go nowhere yet: the result starts that.
pub(crate) fn start(args: &LoggingArgs, bars: &Bars) -> Traces {
    // Bars say what the lines would.
    let default = if bars.shown() { "warn" } else { "info" };
    let asked = args.log_level.as_deref().filter(|level| !level.is_empty());
    let parsed = EnvFilter::try_new(asked.unwrap_or(default));
    let refused = parsed.is_err();
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new(default));
    let (spans, traces) = tributary_telemetry::spans();
    let lines = fmt::layer()
        .with_writer(Stderr(bars.clone()))
        .with_target(false);
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Each layer has a filter of its own: what is traced does not depend on what is logged.
    let lines = match args.log_format {
        LogFormat::Text => lines
            .fmt_fields(latest::Latest::default())
            .with_ansi(colour)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    registry().with(spans).with(lines).init();
    if refused {
        tracing::warn!("the log level can't be read; logging at {default}");
    }
    traces
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
