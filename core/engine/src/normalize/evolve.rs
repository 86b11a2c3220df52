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
    /// The source's column that fed it in earlier runs, or that alone has its very name.
    pub(crate) owner: Option<String>,
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

impl Wanted<'_> {
    fn base(&self) -> &str {
        self.rename.unwrap_or(self.source)
    }

    /// The names that a column for it has, or had in an earlier run.
    fn forms(&self, data_type: DataType, capabilities: &Capabilities) -> [String; 4] {
        let [plain, hashed] = names::forms(self.base(), capabilities);
        let variant = variant(self.base(), data_type);
        let [variant, hashed_variant] = names::forms(&variant, capabilities);
        [plain, hashed, variant, hashed_variant]
    }
}

fn variant(base: &str, data_type: DataType) -> String {
    format!("{base}__v_{}", data_type.tag())
}

/// Gives columns of the table that nothing feeds yet to the source's columns of the very same names,
/// before any that differ in case only, whichever comes first.
pub(crate) fn claim(targets: &mut [Target], source: &str, base: &str, capabilities: &Capabilities) {
    let forms = names::forms(base, capabilities);
    let is_free = |target: &&mut Target| target.source.is_none() && target.owner.is_none();
    for target in targets.iter_mut().filter(is_free) {
        if forms.contains(&target.column.name) {
            target.owner = Some(source.to_owned());
        }
    }
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
    let base = wanted.base();
    let (proposed, default) = if has_column(targets, wanted, capabilities) {
        (variant(base, data_type), None)
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
        owner: Some(wanted.source.to_owned()),
    });
    targets.len() - 1
}

/// Whether the table has a column for a wanted one, of whichever type.
pub(crate) fn has_column(
    targets: &[Target],
    wanted: &Wanted<'_>,
    capabilities: &Capabilities,
) -> bool {
    let base = wanted.base();
    let [plain, hashed] = names::forms(base, capabilities);
    targets.iter().any(|target| {
        let name = &target.column.name;
        match (target.source.as_deref(), target.owner.as_deref()) {
            (Some(source), _) => source == wanted.source,
            (None, Some(owner)) => owner == wanted.source && [&plain, &hashed].contains(&name),
            (None, None) => names::same(name, base, capabilities),
        }
    })
}

fn find(
    targets: &mut [Target],
    wanted: &Wanted<'_>,
    data_type: DataType,
    capabilities: &Capabilities,
) -> Option<usize> {
    let forms = wanted.forms(data_type, capabilities);
    let is_named = |target: &Target| {
        let name = &target.column.name;
        forms
            .iter()
            .any(|form| names::same(name, form, capabilities))
    };
    let feeds = |target: &Target| match (&target.source, &target.owner) {
        (Some(source), _) => source == wanted.source,
        (None, Some(owner)) => owner == wanted.source && is_named(target),
        (None, None) => is_named(target),
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
    target.owner = Some(wanted.source.to_owned());
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
        reserved: &["xmin"],
        schema: None,
        swaps: true,
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
            owner: None,
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

    #[test]
    fn the_very_name_goes_before_one_that_differs_in_case() {
        let mut targets = vec![had("id", DataType::Int64)];
        for name in ["ID", "id"] {
            claim(&mut targets, name, name, &RULES);
        }
        assert_eq!(place(&mut targets, &want("ID", DataType::Int64), &RULES), 1);
        assert_eq!(place(&mut targets, &want("id", DataType::Int64), &RULES), 0);
        // A destination that folds names still gives the only one its column.
        let mut folded = vec![had("id", DataType::Int64)];
        claim(&mut folded, "ID", "ID", &RULES);
        assert_eq!(place(&mut folded, &want("ID", DataType::Int64), &RULES), 0);
    }

    /// Names that collide in every way, types that join and that don't.
    #[test]
    fn no_column_is_ever_renamed_and_no_name_given_twice() {
        const NAMES: [&str; 9] = [
            "id",
            "ID",
            "Id",
            "x__v_text",
            "x",
            "X",
            "",
            "_tributary_x",
            "ä",
        ];
        const TYPES: [DataType; 3] = [DataType::Int32, DataType::Decimal(30, 2), DataType::Text];
        let long = "n".repeat(70);
        let names: Vec<&str> = NAMES.iter().copied().chain([long.as_str()]).collect();
        let mut seed = 7_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap_or_default() % below
        };
        for _ in 0..300 {
            let mut targets: Vec<Target> = Vec::new();
            let mut owners: Vec<(String, String)> = Vec::new();
            for _ in 0..6 {
                // Another run: the table tells names and types, the memory whose they were.
                for target in &mut targets {
                    target.source = None;
                }
                let layout: Vec<&str> = (0..4).map(|_| names[random(names.len())]).collect();
                for name in &layout {
                    claim(&mut targets, name, name, &RULES);
                }
                for name in &layout {
                    let at = place(&mut targets, &want(name, TYPES[random(3)]), &RULES);
                    let made = targets[at].column.name.clone();
                    let known = owners.iter().find(|(column, _)| *column == made);
                    assert!(
                        known.is_none_or(|(_, owner)| owner == name),
                        "{made} of {owners:?}"
                    );
                    owners.push((made, (*name).to_owned()));
                }
                for (place, target) in targets.iter().enumerate() {
                    let name = &target.column.name;
                    assert!(!name.is_empty() && name.len() <= RULES.identifier_bytes);
                    let twice = targets[..place]
                        .iter()
                        .any(|t| names::same(&t.column.name, name, &RULES));
                    assert!(!twice, "{name} twice");
                }
            }
        }
    }

    #[test]
    fn sixteen_hundred_columns_find_theirs_again() {
        let names: Vec<String> = (0..1600).map(|n| format!("column_{n}")).collect();
        let mut targets = Vec::new();
        for name in &names {
            place(&mut targets, &want(name, DataType::Int64), &RULES);
        }
        for target in &mut targets {
            target.source = None;
        }
        for (at, name) in names.iter().enumerate().rev() {
            assert_eq!(
                place(&mut targets, &want(name, DataType::Int64), &RULES),
                at
            );
        }
    }
}
