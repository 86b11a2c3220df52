//! How comparisons came out, for people.

use std::fmt::Write;

use serde_json::Value;
use tributary_engine::{
    Agreement, ColumnReport, Difference, KeyReport, StreamComparison, VerifyReport,
};

use crate::table::{Table, count, cut, thousands};

/// Characters of a value that are shown.
const WIDEST: usize = 60;

pub(super) fn text(reports: &[VerifyReport]) -> String {
    reports.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(report: &VerifyReport) -> String {
    let mut text = format!(
        "{}: {} in {:.1} s\n",
        report.connection,
        word(report.status),
        report.duration_seconds
    );
    if !report.streams.is_empty() {
        text += &table(&report.streams).render(2);
    }
    if report.log_expired {
        text +=
            "  the source's log no longer reaches back to the last sync: what differs was missed\n";
    }
    for stream in &report.streams {
        text += &details(stream);
    }
    if let Some(error) = &report.error {
        let _ = writeln!(text, "  error: {}", error.message);
    }
    text
}

fn table(streams: &[StreamComparison]) -> Table {
    let headings = [
        "stream",
        "table",
        "status",
        "source",
        "destination",
        "missing",
        "extra",
        "different",
        "repaired",
    ];
    let mut table = Table::new(headings).numbers(3..9);
    for stream in streams {
        let counts = &stream.counts;
        let numbers = [
            counts.rows_source,
            counts.rows_destination,
            counts.missing,
            counts.extra,
            counts.different,
            stream.repaired,
        ];
        let words = [
            stream.stream.to_string(),
            stream.table.clone(),
            word(stream.status).to_owned(),
        ];
        table.row(words.into_iter().chain(numbers.map(thousands)));
    }
    table
}

fn details(stream: &StreamComparison) -> String {
    let mut text = String::new();
    let name = &stream.stream;
    let counts = &stream.counts;
    let mut say = |what: String| {
        let _ = writeln!(text, "  {name}: {what}");
    };
    if let Some(error) = &stream.error {
        say(error.message.clone());
    }
    if !stream.columns_missing.is_empty() {
        let columns = stream.columns_missing.join(", ");
        say(format!(
            "the table lacks {columns}; `tributary sync --full-refresh` brings what the source has"
        ));
    }
    if !stream.columns_unknown.is_empty() {
        let columns = stream.columns_unknown.join(", ");
        say(format!(
            "not compared, since no column of the source feeds them: {columns}"
        ));
    }
    if counts.changed_since_sync > 0 {
        let keys = count(counts.changed_since_sync, "key");
        say(format!(
            "{keys} changed in the source since the last sync: the next one writes them"
        ));
    }
    if counts.kept > 0 {
        let keys = count(counts.kept, "key");
        say(format!(
            "{keys} kept that the source has deleted (`deletes: ignore`)"
        ));
    }
    if counts.rejected > 0 {
        let rows = count(counts.rejected, "row");
        say(format!("{rows} that the source can't give, as in a sync"));
    }
    if counts.unresolved > 0 {
        let rows = count(counts.unresolved, "row");
        say(format!(
            "{rows} in ranges that differ, too many to be told key by key; `--full-refresh` is cheaper"
        ));
    }
    for key in &stream.keys {
        say(format!("{} {}", difference(key.difference), one_key(key)));
    }
    let told = stream.keys.len() as u64;
    let all = counts.missing + counts.extra + counts.different;
    if all > told {
        say(format!(
            "and {} more; `--limit` lists more",
            count(all - told, "key")
        ));
    }
    text
}

fn one_key(key: &KeyReport) -> String {
    let cells = key
        .key
        .iter()
        .map(|(name, value)| format!("{name}={}", shown(value)));
    let mut text = cells.collect::<Vec<_>>().join(", ");
    let columns: Vec<String> = key.columns.iter().map(column).collect();
    if !columns.is_empty() {
        text += &format!(": {}", columns.join("; "));
    }
    text
}

fn column(column: &ColumnReport) -> String {
    let name = &column.column;
    if column.hidden {
        return format!("{name} (hidden)");
    }
    let (source, destination) = (shown(&column.source), shown(&column.destination));
    format!("{name} is {source} in the source, {destination} in the table")
}

/// A value on one line, not too long, without anything that moves a terminal's cursor.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.chars().flat_map(char::escape_debug).collect(),
        other => other.to_string(),
    };
    cut(&text, WIDEST)
}

fn difference(difference: Difference) -> &'static str {
    match difference {
        Difference::Missing => "missing",
        Difference::Extra => "extra",
        Difference::Different => "different",
        Difference::Repeated => "repeated",
    }
}

fn word(status: Agreement) -> &'static str {
    match status {
        Agreement::Equal => "equal",
        Agreement::Skipped => "skipped",
        Agreement::Repaired => "repaired, now equal",
        Agreement::Different => "different",
        Agreement::Failed => "failed",
    }
}
