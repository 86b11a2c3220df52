//! What can be typed after every `bench`: how much, which parts of it, how figures are printed, and
//! which program is measured. A benchmark says only what is its own, as a `Grammar`.

use std::path::PathBuf;

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options<P> {
    /// Rows, or records.
    pub(super) count: u64,
    /// Which parts of the benchmark.
    pub(super) parts: Vec<P>,
    pub(super) format: Format,
    pub(super) binary: Option<PathBuf>,
}

/// A benchmark's own words.
pub(super) struct Grammar<P: 'static> {
    pub(super) usage: &'static str,
    pub(super) count: Count,
    /// The option that picks a part.
    pub(super) pick: &'static str,
    /// All parts, and what each is called.
    pub(super) parts: &'static [P],
    pub(super) name: fn(P) -> &'static str,
    /// Several parts under one name.
    pub(super) groups: &'static [(&'static str, &'static [P])],
}

/// The option that says how much is measured.
pub(super) struct Count {
    pub(super) option: &'static str,
    pub(super) usual: u64,
    /// Fewer would leave some part without a row.
    pub(super) least: u64,
}

impl Count {
    pub(super) fn read(&self, text: &str) -> Result<u64, String> {
        let read = text.replace('_', "").parse().ok();
        read.filter(|count| *count >= self.least).ok_or_else(|| {
            let Self { option, least, .. } = self;
            format!("{option} takes a number from {least}, not `{text}`")
        })
    }
}

impl<P: Copy> Grammar<P> {
    /// The options, or `None` where help is asked for. Fails with what to show to whoever typed it.
    pub(super) fn parse(&self, words: &[&str]) -> Result<Option<Options<P>>, String> {
        let usage = self.usage;
        let mut options = Options {
            count: self.count.usual,
            parts: self.parts.to_vec(),
            format: Format::Table,
            binary: None,
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || {
                let next = words.next().copied();
                next.ok_or_else(|| format!("{word} takes a value\n{usage}"))
            };
            match word {
                "--binary" => options.binary = Some(value()?.into()),
                "--json" => options.format = Format::Json,
                "--help" | "-h" => return Ok(None),
                _ if word == self.count.option => options.count = self.count.read(value()?)?,
                _ if word == self.pick => options.parts = self.picked(value()?)?,
                _ => return Err(format!("`{word}` is not an option\n{usage}")),
            }
        }
        Ok(Some(options))
    }

    fn picked(&self, text: &str) -> Result<Vec<P>, String> {
        if let Some((_, parts)) = self.groups.iter().find(|(name, _)| *name == text) {
            return Ok(parts.to_vec());
        }
        let names = || self.parts.iter().map(|part| (self.name)(*part));
        let found = names().position(|name| name == text);
        let found = found.map(|index| vec![self.parts[index]]);
        found.ok_or_else(|| {
            let groups = self.groups.iter().map(|(name, _)| *name);
            let known: Vec<_> = names().chain(groups).collect();
            let pick = self.pick;
            format!("{pick} takes one of {}, not `{text}`", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar<char> = Grammar {
        usage: "usage: bench letters",
        count: Count {
            option: "--rows",
            usual: 50,
            least: 10,
        },
        pick: "--only",
        parts: &['a', 'b', 'c'],
        name: |letter| match letter {
            'a' => "alpha",
            'b' => "beta",
            _ => "gamma",
        },
        groups: &[("early", &['a', 'b'])],
    };

    fn parsed(words: &str) -> Result<Option<Options<char>>, String> {
        GRAMMAR.parse(&words.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn what_is_typed_is_understood() {
        let usual = Options {
            count: 50,
            parts: vec!['a', 'b', 'c'],
            format: Format::Table,
            binary: None,
        };
        assert_eq!(parsed(""), Ok(Some(usual)));
        let chosen = Options {
            count: 2_000,
            parts: vec!['b'],
            format: Format::Json,
            binary: Some("/x".into()),
        };
        let words = "--rows 2_000 --only beta --json --binary /x";
        assert_eq!(parsed(words), Ok(Some(chosen)));
        let early = parsed("--only early").map(|options| options.map(|options| options.parts));
        assert_eq!(early, Ok(Some(vec!['a', 'b'])));
        assert_eq!(parsed("--rows 5000 --help"), Ok(None));
    }

    #[test]
    fn what_is_not_understood_is_explained() {
        for (words, told) in [
            ("--rows", "--rows takes a value"),
            ("--rows many", "--rows takes a number from 10, not `many`"),
            ("--rows 3", "--rows takes a number from 10, not `3`"),
            (
                "--only all",
                "--only takes one of alpha, beta, gamma, early, not `all`",
            ),
            ("--fast", "`--fast` is not an option"),
        ] {
            let problem = parsed(words).expect_err(words);
            assert!(problem.starts_with(told), "{words}: {problem}");
        }
    }
}
