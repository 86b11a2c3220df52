//! Which column of the table a column of the stream goes to, and of which type it must be.

use tributary_model::{Capabilities, DataType, TableColumn};

use super::names;

/// A column of the table and the source's column that feeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The table's column.
    pub(crate) column: TableColumn,
    /// The source's name; `None` for columns that the table had before and no source column feeds.
    pub(crate) source: Option<String>,
}

/// What the stream wants of one column.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// The source's name.
    pub(crate) source: &'a str,
    /// The name the user gave it, where one was given.
    pub(crate) rename: Option<&'a str>,
    /// The type, before the destination's limits.
    pub(crate) data_type: DataType,
    /// What rows hold that were written before the column existed.
    pub(crate) default: Option<&'a str>,
}

/// Finds or makes the target of a wanted column; returns its index in `targets`.
///
/// In order: a column this source column feeds already, or an unclaimed one of the same name, where
/// the types join (the column widens); else a new column; else, where the name is taken by a type
/// that does not join, a variant column `<name>__v_<type>` beside it. // G5
pub(crate) fn place(
    targets: &mut Vec<Target>,
    wanted: &Wanted<'_>,
    capabilities: &Capabilities,
) -> usize {
    let data_type = within(wanted.data_type, capabilities);
    if let Some(index) = find(targets, wanted, data_type, capabilities) {
        return index;
    }
    let base = wanted.rename.unwrap_or(wanted.source);
    let is_variant = targets.iter().any(|target| {
        target.source.as_deref() == Some(wanted.source)
            || (target.source.is_none() && names::same(&target.column.name, base, capabilities))
    });
    let (proposed, default) = if is_variant {
        (format!("{base}__v_{}", data_type.tag()), None)
    } else {
        (base.to_owned(), wanted.default.map(str::to_owned))
    };
    let taken = targets.iter().map(|target| target.column.name.as_str());
    let name = names::legal(&proposed, taken, capabilities);
    targets.push(Target {
        column: TableColumn {
            name,
            data_type,
            default,
        },
        source: Some(wanted.source.to_owned()),
    });
    targets.len() - 1
}

fn find(
    targets: &mut [Target],
    wanted: &Wanted<'_>,
    data_type: DataType,
    capabilities: &Capabilities,
) -> Option<usize> {
    let base = wanted.rename.unwrap_or(wanted.source);
    let variant = format!("{base}__v_{}", data_type.tag());
    let feeds = |target: &Target| match &target.source {
        Some(source) => source == wanted.source,
        None => [base, &variant]
            .into_iter()
            .any(|name| names::same(&target.column.name, name, capabilities)),
    };
    let (index, joined) = targets
        .iter()
        .enumerate()
        .filter(|(_, target)| feeds(target))
        .find_map(|(index, target)| {
            let joined = target.column.data_type.join(data_type)?;
            // A join beyond the destination's limits can't be had by widening.
            (within(joined, capabilities) == joined).then_some((index, joined))
        })?;
    let target = &mut targets[index];
    target.column.data_type = joined;
    target.column.default = wanted.default.map(str::to_owned);
    target.source = Some(wanted.source.to_owned());
    Some(index)
}

/// The type as the destination can hold it: decimals with too many digits become text.
fn within(data_type: DataType, capabilities: &Capabilities) -> DataType {
    match data_type {
        DataType::Decimal(digits, _) if digits > capabilities.decimal_digits => DataType::Text,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::Mode;

    use super::*;

    const RULES: Capabilities = Capabilities {
        modes: &[Mode::Merge],
        identifier_bytes: 60,
        case_insensitive: true,
        decimal_digits: 38,
    };

    fn want(source: &str, data_type: DataType) -> Wanted<'_> {
        Wanted {
            source,
            rename: None,
            data_type,
            default: None,
        }
    }

    fn had(name: &str, data_type: DataType) -> Target {
        let column = TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        Target {
            column,
            source: None,
        }
    }

    fn shown(targets: &[Target]) -> Vec<String> {
        targets
            .iter()
            .map(|t| format!("{} {}", t.column.name, t.column.data_type))
            .collect()
    }

    #[test]
    fn a_column_widens_and_never_narrows() {
        let mut targets = vec![had("n", DataType::Int64)];
        assert_eq!(place(&mut targets, &want("n", DataType::Int16), &RULES), 0);
        assert_eq!(place(&mut targets, &want("n", DataType::UInt64), &RULES), 0);
        assert_eq!(shown(&targets), ["n decimal(20,0)"]);
    }

    #[test]
    fn what_does_not_join_gets_a_column_of_its_own_and_finds_it_again() {
        let mut targets = vec![had("n", DataType::Int64)];
        assert_eq!(place(&mut targets, &want("n", DataType::Text), &RULES), 1);
        assert_eq!(place(&mut targets, &want("n", DataType::Text), &RULES), 1);
        assert_eq!(shown(&targets), ["n int64", "n__v_text text"]);
        // Another run finds both in the table.
        let mut again = vec![had("n", DataType::Int64), had("n__v_text", DataType::Text)];
        assert_eq!(place(&mut again, &want("n", DataType::Text), &RULES), 1);
        assert_eq!(place(&mut again, &want("n", DataType::Int32), &RULES), 0);
    }

    #[test]
    fn limits_of_the_destination_hold_for_joins_too() {
        let mut targets = Vec::new();
        place(
            &mut targets,
            &want("wide", DataType::Decimal(65, 30)),
            &RULES,
        );
        place(&mut targets, &want("d", DataType::Decimal(38, 0)), &RULES);
        place(&mut targets, &want("d", DataType::Decimal(38, 9)), &RULES);
        assert_eq!(
            shown(&targets),
            ["wide text", "d decimal(38,0)", "d__v_decimal decimal(38,9)"]
        );
    }
}
