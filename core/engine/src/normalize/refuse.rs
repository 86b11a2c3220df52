//! Rules for columns that can't be kept: they would hide what tells rows apart, or hide nothing.

use tributary_model::{ColumnRule, Error, ErrorKind, Result};

use super::table::TableSetup;

/// A key that is hidden or left out would make rows of different keys one row, or none; a cursor
/// would no longer say where to go on.
pub(super) fn refuse_hidden_keys(setup: &TableSetup<'_>) -> Result<()> {
    let keys = setup.schema.key.iter().map(|name| (name, true));
    let cursors = setup.cursor.iter().map(|name| (name, false));
    for (name, is_key) in keys.chain(cursors) {
        let Some(rule) = setup.options.columns.get(name) else {
            continue;
        };
        let word = match rule {
            ColumnRule { exclude: true, .. } => "exclude",
            ColumnRule { hash: true, .. } => "hash",
            ColumnRule { mask: Some(_), .. } => "mask",
            _ => continue,
        };
        let stream = setup.stream;
        let what = match is_key {
            true => format!(
                "`{word}` on `{name}`, a key column of {stream}, would make different rows one row"
            ),
            false => format!(
                "`{word}` on `{name}`, the cursor of {stream}, would hide how far it has been read"
            ),
        };
        return Err(Error::new(ErrorKind::Config, what).fix(format!(
            "Remove the rule for `{name}`, or take the stream out with `!{stream}`."
        )));
    }
    Ok(())
}

/// A misspelt `email: hash` would let the address through in clear. A column that the source has
/// dropped is known from the table.
pub(super) fn refuse_unknown_columns(setup: &TableSetup<'_>) -> Result<()> {
    let existing = setup.existing.unwrap_or_default();
    let is_known = |name: &str, rule: &ColumnRule| {
        let kept = rule.rename.as_deref().unwrap_or(name);
        setup.schema.position(name).is_some() || existing.iter().any(|column| column.name == kept)
    };
    let unknown = setup
        .options
        .columns
        .iter()
        .find(|(name, rule)| !is_known(name, rule));
    let Some((name, _)) = unknown else {
        return Ok(());
    };
    let columns: Vec<_> = setup
        .schema
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .take(40)
        .collect();
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "`columns` has a rule for `{name}`, and {} has no such column",
            setup.stream
        ),
    )
    .fix(format!(
        "Correct the name; there are: {}.",
        columns.join(", ")
    )))
}
