//! Names that other systems take: made the same way every time, and no two the same.

use std::collections::BTreeSet;

/// Characters of a digest that tell apart names that became the same.
const DIGEST: usize = 8;

/// What a name may be made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Before each name.
    pub(crate) prefix: &'static str,
    /// The most bytes, the prefix included.
    pub(crate) longest: usize,
    /// What becomes of a character that may stay, perhaps in another case.
    pub(crate) keeps: fn(char) -> Option<char>,
    /// What stands for any other.
    pub(crate) other: char,
    /// Whether a name must end in a letter or digit.
    pub(crate) end: End,
}

/// What a name may end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Anything that it may hold.
    Any,
    /// A letter or digit.
    Alphanumeric,
}

/// Names given so far.
#[derive(Debug)]
pub(crate) struct Names {
    rule: Rule,
    taken: BTreeSet<String>,
}

impl Names {
    pub(crate) fn new(rule: Rule) -> Self {
        Self {
            rule,
            taken: BTreeSet::new(),
        }
    }

    /// A legal name for `name` that was not given before. One that had to be changed carries a
    /// digest of the original, so that it does not depend on which others there are.
    pub(crate) fn give(&mut self, name: &str) -> String {
        let Rule { keeps, other, .. } = self.rule;
        let legal: String = name.chars().map(|c| keeps(c).unwrap_or(other)).collect();
        let whole = format!("{}{legal}", self.rule.prefix);
        let fits = whole.len() <= self.rule.longest && self.ends_well(&whole);
        if fits && legal == name && self.taken.insert(whole.clone()) {
            return whole;
        }
        let marked = |mark: &str| {
            let room = self.rule.longest - mark.len() - 1;
            let kept: String = whole.chars().take(room).collect();
            format!("{}{}{mark}", kept.trim_end_matches(other), other)
        };
        let digest = blake3::hash(name.as_bytes()).to_hex()[..DIGEST].to_owned();
        let mut marks = std::iter::once(digest.clone())
            .chain((2u32..).map(|count| format!("{digest}{other}{count}")));
        let free = marks.find_map(|mark| {
            let name = marked(&mark);
            (!self.taken.contains(&name)).then_some(name)
        });
        let name = free.expect("an endless supply has a free one");
        self.taken.insert(name.clone());
        name
    }

    fn ends_well(&self, name: &str) -> bool {
        match self.rule.end {
            End::Any => true,
            End::Alphanumeric => name.ends_with(|c: char| c.is_ascii_alphanumeric()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        prefix: "t-",
        longest: 20,
        keeps: |c| c.is_ascii_alphanumeric().then(|| c.to_ascii_lowercase()),
        other: '-',
        end: End::Alphanumeric,
    };

    #[test]
    fn names_are_legal_distinct_and_the_same_every_time() {
        let given = || {
            let mut names = Names::new(RULE);
            [
                "shop",
                "Shop",
                "shop",
                "a_b",
                "a-b",
                "_",
                "",
                &"x".repeat(99),
                "-",
            ]
            .map(|name| names.give(name))
        };
        let names = given();
        assert_eq!(names, given());
        assert_eq!(names[0], "t-shop");
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in &names {
            assert!(name.len() <= 20, "{name}");
            assert!(
                name.ends_with(|c: char| c.is_ascii_alphanumeric()),
                "{name}"
            );
            assert!(
                name.chars().all(|c| c == '-' || (RULE.keeps)(c) == Some(c)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_changed_name_does_not_depend_on_others() {
        let alone = Names::new(RULE).give("Shop");
        let mut names = Names::new(RULE);
        names.give("shop");
        assert_eq!(names.give("Shop"), alone);
    }
}
