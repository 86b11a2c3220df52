//! What a line says of the span around it: the latest value of each field.
//!
//! A span of a run lives as long as the run, and says its epoch anew at every attempt. The usual
//! formatter puts each value behind the ones before, so that the lines of a run of months would
//! grow with every outage.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{DefaultFields, FormatFields, Writer};

/// Writes fields as usual, each once.
#[derive(Debug, Default)]
pub(super) struct Latest(DefaultFields);

impl<'w> FormatFields<'w> for Latest {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let mut names = Names::default();
        fields.record(&mut names);
        current.fields = without(&current.fields, &names.0);
        if !current.fields.is_empty() {
            current.fields.push(' ');
        }
        self.format_fields(current.as_writer(), fields)
    }
}

/// The names of fields.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Visit for Names {
    fn record_debug(&mut self, field: &Field, _: &dyn fmt::Debug) {
        self.0.push(field.name());
    }
}

/// `fields`, a line of `name=value`, coloured or not, without those that have one of these names.
fn without(fields: &str, names: &[&str]) -> String {
    let mut drops = false;
    let kept = words(fields).filter(|word| {
        // A word without a name is the rest of the value before it.
        drops = name(word).map_or(drops, |name| names.contains(&name.as_str()));
        !drops
    });
    kept.collect::<Vec<_>>().join(" ")
}

/// Parts between spaces that no quotes enclose.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let ends = c == ' ' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
}

/// The name at the beginning of `name=value`.
fn name(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    // Colours are `ESC [ … m`.
    let mut parts = name.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.filter_map(|part| part.split_once('m'));
    let name = rest.fold(first, |name, (_, shown)| name + shown);
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    (!name.is_empty() && name.chars().all(proper)).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics").write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(colour: bool) -> String {
        let kept = Kept::default();
        let lines = tracing_subscriber::fmt()
            .with_writer(kept.clone())
            .with_ansi(colour)
            .fmt_fields(Latest::default())
            .finish();
        tracing::subscriber::with_default(lines, || {
            let span = tracing::error_span!("sync", connection = "a \"b\" c", epoch = Empty);
            for epoch in 1..=3 {
                span.record("epoch", epoch);
            }
            span.in_scope(|| tracing::info!("reading"));
        });
        let kept = kept.0.lock().expect("nobody panics").clone();
        String::from_utf8(kept).expect("lines are text")
    }

    #[test]
    fn a_value_that_is_told_anew_takes_the_place_of_the_old_one() {
        let line = logged(false);
        let span = r#"sync{connection="a \"b\" c" epoch=3}"#;
        assert!(line.contains(span), "{line}");
        let coloured = logged(true);
        assert_eq!(coloured.matches("epoch").count(), 1, "{coloured}");
        assert!(coloured.contains("connection"), "{coloured}");
    }

    #[test]
    fn only_whole_fields_go() {
        let fields = r#"a="x epoch=1 y" epoch=2 list=[1, 2] epoch_of=3"#;
        let left = r#"a="x epoch=1 y" list=[1, 2] epoch_of=3"#;
        assert_eq!(without(fields, &["epoch"]), left);
        assert_eq!(without(fields, &["list", "a"]), "epoch=2 epoch_of=3");
        assert_eq!(without("epoch=2", &["epoch"]), "");
    }
}
