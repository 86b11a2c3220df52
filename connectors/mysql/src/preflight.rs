//! The preflight: every requirement, what was found, and the fix.
//!
//! Rights are proved by using them. What the server's variables tell is judged in
//! [`crate::requirements`]; here is what must be asked. Whatever is wrong with the server or our
//! account becomes a finding: only a server that goes away in the middle is an error.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{Error, ErrorKind, Report, Result, StreamName};

use crate::discover;
use crate::failure::classify;
use crate::reader::standing::rds_hours;
use crate::requirements::{examine, retention};
use crate::server::{self, Server, Status};
use crate::session;
use crate::settings::{Settings, Tls};

mod cascades;
mod columns;
mod dump;
mod replica;
mod tables;

/// Looks at everything that reading these streams needs.
///
/// # Errors
/// Fails where the server goes away in the middle.
pub(crate) async fn check(settings: &Settings, streams: &[StreamName]) -> Result<Report> {
    let mut report = Report::default();
    let mut conn = match session::open(settings).await {
        Ok(conn) => conn,
        Err(error) => {
            note(&mut report, "login", error);
            return Ok(report);
        }
    };
    let place = format!("{} as {}", settings.endpoint, settings.user);
    report.pass("login", format!("logged in to {place}"));
    encryption(&mut conn, settings, &mut report).await?;
    match Server::read(&mut conn).await {
        Ok(server) => look(&mut conn, settings, &server, streams, &mut report).await?,
        Err(error) => or_end(error, &mut report, "product")?,
    }
    // The connection may have gone by now; nothing depends on a polite goodbye.
    let _ = conn.disconnect().await;
    Ok(report)
}

async fn look(
    conn: &mut Conn,
    settings: &Settings,
    server: &Server,
    streams: &[StreamName],
    report: &mut Report,
) -> Result<()> {
    report.findings.extend(examine(server).findings);
    if server.is_on("log_bin") {
        retention(server, rds_hours(conn).await).judge(report);
        replica::check(conn, settings, server, report).await?;
        if let Some(status) = place(conn, server, report).await? {
            dump::check(settings, server, &status, report).await?;
        }
    }
    match discover::survey(conn, &settings.databases).await {
        Ok(survey) => {
            columns::check(conn, server, streams, report).await?;
            tables::check(conn, server, &survey, streams, report).await
        }
        Err(error) => or_end(error, report, "databases"),
    }
}

async fn encryption(conn: &mut Conn, settings: &Settings, report: &mut Report) -> Result<()> {
    let row: Option<(String, String)> = conn
        .query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        .await
        .map_err(|error| classify(error, "asking for the cipher"))?;
    let cipher = row
        .map(|(_, cipher)| cipher)
        .filter(|cipher| !cipher.is_empty());
    let verified = match settings.tls {
        Tls::VerifyIdentity(_) => ", the server's certificate and name are verified",
        Tls::VerifyCa(_) => ", the server's certificate is verified",
        Tls::Disabled | Tls::Preferred | Tls::Required => "",
    };
    match cipher {
        Some(cipher) => report.pass("encryption", format!("{cipher}{verified}")),
        None if settings.endpoint.is_local() => {
            report.pass("encryption", "none; the connection stays on this machine");
        }
        None => report.warn(
            "encryption",
            "the connection is not encrypted",
            "Set `tls: {mode: required}` or stricter.",
        ),
    }
    Ok(())
}

/// Where the log ends: proves the right to see it.
async fn place(conn: &mut Conn, server: &Server, report: &mut Report) -> Result<Option<Status>> {
    const NAME: &str = "place in the log";
    match server::status(conn, server).await {
        Ok(status) => {
            let files = server::log_files(conn, server).await?;
            let oldest = files.first().map_or("", |file| file.name.as_str());
            report.pass(NAME, format!("{}, kept from {oldest} on", status.position));
            Ok(Some(status))
        }
        Err(error) => {
            or_end(error, report, NAME)?;
            Ok(None)
        }
    }
}

/// What the user must act on is a finding; anything else ends the preflight.
fn or_end(error: Error, report: &mut Report, requirement: &str) -> Result<()> {
    match error.kind() {
        ErrorKind::Config | ErrorKind::Access | ErrorKind::Incompatible => {
            note(report, requirement, error);
            Ok(())
        }
        ErrorKind::Throttled(_)
        | ErrorKind::Unavailable
        | ErrorKind::Expired
        | ErrorKind::Malformed
        | ErrorKind::Rejected
        | ErrorKind::Fenced
        | ErrorKind::Bug => Err(error),
    }
}

fn note(report: &mut Report, requirement: &str, error: Error) {
    let fix = error
        .help()
        .unwrap_or("See the server's own log.")
        .to_owned();
    let found = match error.why() {
        Some(why) => format!("{} ({})", error.what(), why.trim_end_matches('.')),
        None => error.what(),
    };
    report.fail(requirement, found, fix);
}
