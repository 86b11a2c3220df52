//! `tributary maintain`: the upkeep of a destination.

use std::fmt::Write;

use tributary_model::{Report, Verdict};

use crate::args::MaintainArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::{self, Session};

pub(crate) async fn run(args: &MaintainArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let destination = session::destination(&plan, &args.destination).await?;
    let report = destination.maintain().await?;
    output::present(args.output.output, &report, || text(&report));
    Ok(match report.verdict() {
        Verdict::Fail => Exit::Failed,
        Verdict::Pass | Verdict::Warn => Exit::Done,
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let _ = writeln!(text, "{}: {}", finding.requirement, finding.found);
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "  {fix}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_a_line_and_what_failed_has_its_fix() {
        let mut report = Report::default();
        report.pass("shop.orders", "9 small files became 1");
        report.fail("shop.items", "the catalog is away", "See how it is.");
        assert_eq!(
            text(&report),
            "shop.orders: 9 small files became 1\nshop.items: the catalog is away\n  See how it is.\n"
        );
    }
}
