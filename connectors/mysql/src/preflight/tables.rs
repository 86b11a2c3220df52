//! The selected tables, one by one.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{ErrorKind, Report, Result, StreamName};

use super::cascades;
use crate::discover::Survey;
use crate::failure::classify;
use crate::info::TableInfo;
use crate::names::quote;
use crate::server::Server;

/// Notes what is to be known of each selected table.
pub(super) async fn check(
    conn: &mut Conn,
    server: &Server,
    survey: &Survey,
    streams: &[StreamName],
    report: &mut Report,
) -> Result<()> {
    let before = report.findings.len();
    let mut seen = Vec::new();
    for stream in streams {
        let found = survey.tables.iter().find(|table| is(table, stream));
        match found {
            Some(table) => {
                if readable(conn, server, table, report).await? {
                    seen.push(stream.clone());
                }
                describe(table, report);
            }
            None => missing(server, survey, stream, report),
        }
    }
    for (stream, names) in cascades::find(conn, server, &seen).await? {
        warn_cascades(&stream, &names, report);
    }
    if report.findings.len() == before && !streams.is_empty() {
        report.pass(
            "tables",
            format!("{} can be read, all with a key", streams.len()),
        );
    }
    Ok(())
}

fn is(table: &TableInfo, stream: &StreamName) -> bool {
    stream.namespace.as_deref() == Some(table.database.as_str()) && stream.name == table.name
}

fn title(stream: &StreamName) -> String {
    format!("table {stream}")
}

fn missing(server: &Server, survey: &Survey, stream: &StreamName, report: &mut Report) {
    if let Some(refused) = survey
        .refused
        .iter()
        .find(|refused| refused.stream == *stream)
    {
        report.fail(
            title(stream),
            format!("{stream} can't be followed: {}", refused.reason),
            "Take it out of `select`.",
        );
        return;
    }
    let database = stream.namespace.as_deref().unwrap_or("*");
    report.fail(
        title(stream),
        format!("there is no table {stream}, or the user may not see it"),
        format!(
            "Check `select`, or run on the server: GRANT SELECT ON {}.* TO {};",
            quote(database),
            server.account
        ),
    );
}

/// SELECT, proved by doing it.
async fn readable(
    conn: &mut Conn,
    server: &Server,
    table: &TableInfo,
    report: &mut Report,
) -> Result<bool> {
    let name = format!("{}.{}", quote(&table.database), quote(&table.name));
    let Err(error) = conn
        .query_drop(format!("SELECT * FROM {name} LIMIT 0"))
        .await
    else {
        return Ok(true);
    };
    let error = classify(error, format!("reading {}.{}", table.database, table.name));
    match error.kind() {
        ErrorKind::Access => {
            let fix = format!(
                "Run on the server: GRANT SELECT ON {name} TO {};",
                server.account
            );
            let stream = StreamName::within(&table.database, &table.name);
            super::note(report, &title(&stream), error.fix(fix));
        }
        _ => super::or_end(
            error,
            report,
            &format!("table {}.{}", table.database, table.name),
        )?,
    }
    Ok(false)
}

fn describe(table: &TableInfo, report: &mut Report) {
    let name = format!("{}.{}", table.database, table.name);
    let title = format!("table {name}");
    if table.key.is_empty() {
        report.warn(
            &title,
            format!(
                "{name} has neither a primary key nor a unique index over NOT NULL columns: it is \
                 read in one piece, and rows are merged by a hash of all their columns"
            ),
            format!(
                "Give it a primary key, such as ALTER TABLE {name} ADD COLUMN id BIGINT UNSIGNED \
                 AUTO_INCREMENT PRIMARY KEY; or use `mode: append`."
            ),
        );
    }
    if table.engine != "INNODB" {
        let engine = &table.engine;
        report.warn(
            &title,
            format!(
                "{name} is stored by {engine}, which has no transactions: what is read while it \
                 changes may show half of a statement"
            ),
            format!("ALTER TABLE {name} ENGINE = InnoDB;"),
        );
    }
}

fn warn_cascades(stream: &StreamName, names: &[String], report: &mut Report) {
    report.warn(
        title(stream),
        format!(
            "foreign keys change rows of {stream} without a word in the log when their parent \
             changes: {}",
            names.join(", ")
        ),
        "Upgrade to MySQL 9.6 or newer, which logs these changes; or declare the keys without \
         CASCADE and SET NULL; or run `tributary verify --repair` from time to time.",
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::Verdict;

    use super::*;

    fn orders() -> TableInfo {
        TableInfo {
            database: "shop".to_owned(),
            name: "orders".to_owned(),
            engine: "INNODB".to_owned(),
            key: vec!["id".to_owned()],
            ..TableInfo::default()
        }
    }

    fn verdicts(table: &TableInfo) -> Vec<Verdict> {
        let mut report = Report::default();
        describe(table, &mut report);
        report
            .findings
            .iter()
            .map(|finding| finding.verdict)
            .collect()
    }

    #[test]
    fn a_plain_table_needs_no_word() {
        assert_eq!(verdicts(&orders()), []);
    }

    #[test]
    fn a_missing_key_and_another_engine_are_warnings() {
        let table = TableInfo {
            key: Vec::new(),
            engine: "MYISAM".to_owned(),
            ..orders()
        };
        assert_eq!(verdicts(&table), [Verdict::Warn, Verdict::Warn]);
    }
}
