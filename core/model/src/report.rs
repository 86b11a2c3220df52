//! What a preflight found.

use serde::Serialize;

/// Whether one requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// It is met.
    Pass,
    /// It works, and someone should know.
    Warn,
    /// It would not work.
    Fail,
}

/// One requirement, what was found, and the fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a few words.
    pub requirement: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// The exact fix (a statement to run, a permission to give); `None` where nothing is needed.
    pub fix: Option<String>,
}

/// The findings of one `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report {
    /// In the order in which they were looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Notes a requirement that is met.
    pub fn pass(&mut self, requirement: impl Into<String>, found: impl Into<String>) {
        self.add(Verdict::Pass, requirement.into(), found.into(), None);
    }

    /// Notes something that works and that someone should know.
    pub fn warn(
        &mut self,
        requirement: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(
            Verdict::Warn,
            requirement.into(),
            found.into(),
            Some(fix.into()),
        );
    }

    /// Notes a requirement that is not met.
    pub fn fail(
        &mut self,
        requirement: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(
            Verdict::Fail,
            requirement.into(),
            found.into(),
            Some(fix.into()),
        );
    }

    /// The worst verdict among the findings.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Verdict::Pass)
    }

    fn add(&mut self, verdict: Verdict, requirement: String, found: String, fix: Option<String>) {
        self.findings.push(Finding {
            requirement,
            verdict,
            found,
            fix,
        });
    }
}
