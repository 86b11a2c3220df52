//! Preflight: is the key taken, may it read the spreadsheet, does Drive tell of changes?

use tributary_model::{Error, ErrorKind, Report, Result, StreamName};

use crate::catalog::Names;
use crate::config::Account;
use crate::google::Drive;
use crate::spreadsheet::Spreadsheet;

/// Asks for everything that a sync needs.
pub(crate) async fn check(spreadsheet: &Spreadsheet, _streams: &[StreamName]) -> Result<Report> {
    let mut report = Report::default();
    let who = match &spreadsheet.google.account {
        Account::Service(email) => email.clone(),
        Account::User => "the user of the `refresh_token`".to_owned(),
    };
    match spreadsheet.google.log_in().await {
        Ok(()) => report.pass("login", format!("Google knows {who}")),
        Err(error) => {
            note(&mut report, "login", error)?;
            return Ok(report);
        }
    }
    match spreadsheet.google.book().await {
        Ok(book) => {
            let parts = spreadsheet.parts(&book, &tributary_model::State::default());
            let found = format!(
                "\"{}\" can be read: {} streams, times by the clock of {}",
                book.title,
                parts.there.len(),
                book.time_zone
            );
            report.pass("spreadsheet", found);
            check_sheets(spreadsheet, &book, &mut report);
        }
        Err(error) => {
            note(&mut report, "spreadsheet", error)?;
            return Ok(report);
        }
    }
    match spreadsheet.google.file().await? {
        Drive::Told(file) if file.is_trashed => report.warn(
            "changes",
            "the spreadsheet is in the bin",
            "Restore it, or set another `spreadsheet_id`: what is in the bin is deleted after a while.",
        ),
        Drive::Told(_) => report.pass("changes", "Drive tells when the spreadsheet changed"),
        Drive::Silent(error) => report.warn(
            "changes",
            format!("{}: every sync reads everything", reason(&error)),
            error.help().unwrap_or("Try again later."),
        ),
    }
    Ok(report)
}

/// Options of tabs that are not there are probably misspelt.
fn check_sheets(spreadsheet: &Spreadsheet, book: &crate::book::Book, report: &mut Report) {
    let all = crate::catalog::Parts::of(book, Names::Read, "", &tributary_model::State::default());
    for title in spreadsheet.settings.sheets.keys() {
        let is_there = |(name, part): (&StreamName, &crate::catalog::Part)| {
            name.name == *title || part.name == *title
        };
        if !all.there.iter().any(is_there) {
            report.warn(
                "sheets",
                format!("`sheets` has options for \"{title}\", and there is no such tab"),
                "Correct the title; `tributary discover SOURCE` lists what there is.",
            );
        }
    }
}

fn reason(error: &Error) -> String {
    match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    }
}

/// Notes what is the user's to mend; anything else ends the preflight.
fn note(report: &mut Report, what: &str, error: Error) -> Result<()> {
    match error.kind() {
        ErrorKind::Access | ErrorKind::Config | ErrorKind::Incompatible => {
            let fix = error.help().unwrap_or_default().to_owned();
            report.fail(what, reason(&error), fix);
            Ok(())
        }
        _ => Err(error),
    }
}
