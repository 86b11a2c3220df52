//! How runs came out, for people.

use crate::progress;
use crate::table::{Table, count, thousands};
use tributary_engine::{Status, StreamReport, SyncReport};

pub(super) fn text(reports: &[SyncReport]) -> String {
    reports.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(report: &SyncReport) -> String {
    let loads = count(report.loads, "load");
    let mut text = format!(
        "{}: {} in {:.1} s, {loads}\n",
        report.connection,
        word(report.status),
        report.duration_seconds
    );
    if !report.streams.is_empty() {
        text += &table(&report.streams).render(2);
    }
    for stream in &report.streams {
        // What failed the connection is said once, for all.
        if let Some(error) = stream
            .error
            .as_ref()
            .filter(|_| stream.error != report.error)
        {
            text += &format!("  {}: {}\n", stream.stream, error.message);
        }
        for warning in &stream.warnings {
            text += &format!("  warning: {}: {warning}\n", stream.stream);
        }
    }
    let rejected: u64 = report
        .streams
        .iter()
        .map(|stream| stream.records_rejected)
        .sum();
    if rejected > 0 {
        let rows = if rejected == 1 {
            "row was"
        } else {
            "rows were"
        };
        text += &format!(
            "  {} {rows} rejected: _tributary.rejected has them, with the reason\n",
            thousands(rejected)
        );
    }
    if let Some(error) = &report.error {
        text += &format!("  error: {}\n", error.message);
    }
    text
}

fn table(streams: &[StreamReport]) -> Table {
    let headings = [
        "stream", "table", "status", "phase", "read", "written", "rejected",
    ];
    let mut table = Table::new(headings).numbers([4, 5, 6]);
    for stream in streams {
        table.row([
            stream.stream.to_string(),
            stream.table.to_string(),
            word(stream.status).to_owned(),
            progress::word(stream.phase).to_owned(),
            thousands(stream.records_read),
            thousands(stream.records_written),
            thousands(stream.records_rejected),
        ]);
    }
    table
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "succeeded",
        Status::Partial => "succeeded in part",
        Status::Failed => "failed",
        Status::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::{ConnectionName, Error, ErrorKind, Phase, StreamName, TableName};

    use super::*;

    fn stream(name: &str, error: Option<&Error>) -> StreamReport {
        StreamReport {
            stream: StreamName::within("shop", name),
            table: TableName {
                schema: "shop".to_owned(),
                table: name.to_owned(),
            },
            status: if error.is_some() {
                Status::Failed
            } else {
                Status::Succeeded
            },
            phase: Phase::Streaming,
            records_read: 12_000,
            records_written: 11_999,
            records_rejected: 1,
            bytes_read: 5,
            error: error.map(Into::into),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_report_says_what_happened_and_why() {
        let error = Error::new(ErrorKind::Incompatible, "the column `x` is gone").fix("Add it.");
        let report = SyncReport {
            connection: ConnectionName::new("shop"),
            status: Status::Partial,
            duration_seconds: 1.94,
            loads: 3,
            streams: vec![stream("orders", None), stream("broken", Some(&error))],
            error: None,
        };
        insta::assert_snapshot!(text(&[report]), @r"
        shop: succeeded in part in 1.9 s, 3 loads
          stream       table        status     phase        read  written  rejected
          shop.orders  shop.orders  succeeded  streaming  12,000   11,999         1
          shop.broken  shop.broken  failed     streaming  12,000   11,999         1
          shop.broken: the column `x` is gone. Add it.
          2 rows were rejected: _tributary.rejected has them, with the reason
        ");
    }
}
