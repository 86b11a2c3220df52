//! The script of a load: one transaction in one job.
//!
//! It begins by claiming the next number of the connection's fence row. Whatever fails, the claim
//! included, leaves nothing: BigQuery undoes a transaction whose script ends before its `COMMIT`. So
//! rows and cursors become true together, and only for the last opening of the connection. // G1 G2 G3

use tributary_model::{DataType, Mode, Result, TablePlan};
use tributary_sql::{Merge, Staging};

use crate::dialect::BigQueryDialect;
use crate::layout;
use crate::merge::Text;
use crate::target::{Act, Target};

/// What a script raises that lost its claim.
pub(crate) const FENCED: &str = "tributary: fenced";

/// The whole script: the claim, what it is for, the rest.
pub(crate) fn transaction(claim: &str, statements: &[String]) -> String {
    let mut text = vec![
        "BEGIN TRANSACTION".to_owned(),
        claim.to_owned(),
        format!("IF @@row_count != 1 THEN RAISE USING MESSAGE = '{FENCED}'; END IF"),
    ];
    text.extend(statements.iter().cloned());
    text.push("COMMIT TRANSACTION".to_owned());
    together(&text)
}

/// Statements as one script.
pub(crate) fn together(statements: &[String]) -> String {
    let mut text = statements.join(";\n");
    text.push(';');
    text
}

/// Bytes of a script of layouts: BigQuery takes a million.
const SCRIPT_BYTES: usize = 500_000;

/// Statements that do not need one another, in as few scripts as may be, with the rows that tell of them.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    scripts: Vec<(Vec<String>, Vec<String>)>,
    bytes: usize,
}

impl Scripts {
    /// Takes statements that belong together, and the row that tells of them.
    pub(crate) fn push(&mut self, statements: Vec<String>, row: Option<String>) {
        if statements.is_empty() {
            return;
        }
        let bytes: usize = statements.iter().chain(&row).map(String::len).sum();
        if self.scripts.is_empty() || self.bytes + bytes > SCRIPT_BYTES {
            self.scripts.push((Vec::new(), Vec::new()));
            self.bytes = 0;
        }
        self.bytes += bytes;
        if let Some((all, rows)) = self.scripts.last_mut() {
            all.extend(statements);
            rows.extend(row);
        }
    }

    /// The scripts; `insert` is what their rows are written by.
    pub(crate) fn texts(self, insert: &str) -> Vec<String> {
        let texts = self.scripts.into_iter().map(|(mut statements, rows)| {
            if !rows.is_empty() {
                statements.push(format!("{insert} VALUES {}", rows.join(", ")));
            }
            together(&statements)
        });
        texts.collect()
    }
}

/// The statements of a table; `number` is one that no other table of the load has.
pub(crate) fn acts(
    dialect: &BigQueryDialect,
    target: &Target,
    synced_at: &str,
    number: usize,
) -> Result<Vec<String>> {
    let types = layout::types(target.found());
    let mut statements = Vec::new();
    for (step, act) in target.acts.iter().enumerate() {
        let writing = Writing {
            dialect,
            types: &types,
            synced_at,
            staging: Staging {
                rows: format!("_tributary_staged_{number}_{step}"),
                fold: format!("_tributary_fold_{number}_{step}"),
            },
        };
        statements.extend(writing.act(act)?);
    }
    Ok(statements)
}

struct Writing<'a> {
    dialect: &'a BigQueryDialect,
    types: &'a std::collections::BTreeMap<String, (DataType, String)>,
    synced_at: &'a str,
    staging: Staging,
}

impl Writing<'_> {
    fn text<'b>(&'b self, plan: &'b TablePlan) -> Text<'b> {
        Text {
            dialect: self.dialect,
            plan,
            types: self.types,
            synced_at: self.synced_at,
        }
    }

    fn merge<'b>(&'b self, plan: &'b TablePlan) -> Merge<'b, BigQueryDialect> {
        Merge {
            dialect: self.dialect,
            plan,
            staging: &self.staging,
            synced_at: self.synced_at,
        }
    }

    fn act(&self, act: &Act) -> Result<Vec<String>> {
        Ok(match act {
            Act::Insert(plan, staged) => vec![self.text(plan).insert(staged)],
            Act::Fold(plan, staged, cleared) if plan.mode == Mode::History => {
                let mut statements =
                    vec![self.text(plan).unstage(&self.staging.rows, staged.as_ref())];
                for cleared in cleared {
                    statements.push(self.text(plan).clear_history(
                        &self.staging.rows,
                        &cleared.columns,
                        &cleared.values,
                        cleared.seq,
                    ));
                }
                statements.extend(self.merge(plan).fold_history());
                statements
            }
            Act::Fold(plan, staged, _) => staged
                .iter()
                .map(|staged| self.text(plan).merge(staged))
                .collect(),
            Act::Clear(plan, cleared) => {
                let clear = self.text(plan).clear(&cleared.columns, &cleared.values);
                clear.into_iter().collect()
            }
            Act::Truncate(plan, kind) => self.text(plan).truncate(*kind).into_iter().collect(),
            Act::Close(plan, at) => self.merge(plan).close(*at),
            Act::Fill(plan, column) => self.text(plan).fill(column).into_iter().collect(),
            Act::Continue(plan, beside) => {
                let mut statements = vec![self.text(plan).unstage(&self.staging.rows, None)];
                statements.push(self.merge(plan).stage_continuation(beside)?);
                statements.extend(self.merge(plan).fold_history());
                statements
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_together_and_no_script_is_too_long() {
        let mut scripts = Scripts::default();
        for number in 0..1_000 {
            let create = format!("CREATE TABLE t{number} ({})", "x ".repeat(500));
            scripts.push(vec![create], Some(format!("({number})")));
        }
        scripts.push(Vec::new(), None);
        let texts = scripts.texts("INSERT INTO changes");
        assert!(texts.len() > 1);
        for text in &texts {
            assert!(text.len() < SCRIPT_BYTES + 10_000);
            assert_eq!(text.matches("INSERT INTO").count(), 1);
        }
        let all = texts.concat();
        assert_eq!(all.matches("CREATE TABLE").count(), 1_000);
    }

    #[test]
    fn a_claim_that_is_lost_ends_the_script() {
        insta::assert_snapshot!(
            transaction("UPDATE state SET n = 2 WHERE n = 1", &["DELETE FROM t WHERE TRUE".to_owned()]),
            @r"
        BEGIN TRANSACTION;
        UPDATE state SET n = 2 WHERE n = 1;
        IF @@row_count != 1 THEN RAISE USING MESSAGE = 'tributary: fenced'; END IF;
        DELETE FROM t WHERE TRUE;
        COMMIT TRANSACTION;
        "
        );
    }
}
