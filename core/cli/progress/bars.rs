//! The bars themselves.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::table::thousands;

const KNOWN: &str = "{prefix:30!} {bar:20} {count} of ~{total} rows  {rate}  {left}";
const OPEN: &str = "{prefix:30!} {spinner} {count} rows  {rate}";

/// Before this a rate means nothing.
const STEADY: Duration = Duration::from_millis(500);

/// Bars on stderr, if there is a terminal.
#[derive(Clone, Debug)]
pub(crate) struct Bars(Option<MultiProgress>);

impl Bars {
    /// Bars, if stderr is a terminal.
    pub(crate) fn on_terminal() -> Self {
        Self(io::stderr().is_terminal().then(MultiProgress::new))
    }

    /// No bars.
    pub(crate) fn hidden() -> Self {
        Self(None)
    }

    pub(crate) fn shown(&self) -> bool {
        self.0.is_some()
    }

    /// Takes all bars away.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.0 {
            let _ = bars.clear();
        }
    }

    /// Does something to the terminal while the bars are out of the way.
    pub(crate) fn aside<R>(&self, act: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(bars) => bars.suspend(act),
            None => act(),
        }
    }

    /// A bar towards `total`, or one that only counts.
    pub(crate) fn add(&self, name: &str, total: Option<u64>) -> ProgressBar {
        let Some(bars) = &self.0 else {
            return ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        };
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total.max(1)), KNOWN),
            None => (ProgressBar::no_length(), OPEN),
        };
        let bar = bars.add(bar.with_prefix(name.to_owned()).with_style(style(template)));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("count", |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&thousands(state.pos()));
        })
        .with_key("total", |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&thousands(state.len().unwrap_or(0)));
        })
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            if state.elapsed() < STEADY {
                return;
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate to read
            let _ = write!(out, "{}/s", thousands(state.per_sec() as u64));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            if state.elapsed() < STEADY {
                return;
            }
            let seconds = state.eta().as_secs();
            let _ = match seconds {
                0..120 => write!(out, "{seconds} s left"),
                120..7200 => write!(out, "{} min left", seconds / 60),
                _ => write!(out, "{} h left", seconds / 3600),
            };
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_read() {
        for template in [KNOWN, OPEN] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
