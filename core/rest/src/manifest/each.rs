//! For whose rows a stream is read.

use crate::fields::{Fields, text, texts, word};
use crate::path::Path;
use crate::problem::Log;
use crate::yaml::{Node, Yaml};

/// Whose rows a stream is read for, one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Rows of another stream.
    Stream {
        of: String,
        by: By,
        touched: Vec<Path>,
    },
    /// These values.
    Values(Vec<String>),
    /// Every combination of these, each under its name.
    Cross(Vec<(String, Self)>),
}

/// For which of the parent's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Changed,
}

impl Parent {
    pub(super) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        if let Yaml::List(_) = node.value {
            return Some(Self::Values(texts(node, log)));
        }
        if let (Yaml::Map(named), None) = (&node.value, node.get("of"))
            && named
                .iter()
                .all(|(_, value)| matches!(value.value, Yaml::Map(_) | Yaml::List(_)))
        {
            let read = |(key, value): &(crate::yaml::Key, Node)| {
                Some((key.name.clone(), Self::read(value, log)?))
            };
            return Some(Self::Cross(named.iter().filter_map(read).collect()));
        }
        let mut fields = Fields::open(node, "`each`", log)?;
        let of = fields.need("of", log).and_then(|node| text(node, log));
        let words = [("all", By::All), ("changed", By::Changed)];
        let by = fields.take("by").and_then(|node| word(node, &words, log));
        let touched = fields
            .take("touched")
            .map_or_else(Vec::new, |node| texts(node, log));
        fields.close(log);
        Some(Self::Stream {
            of: of?,
            by: by.unwrap_or(By::All),
            touched: touched.iter().map(|path| Path::parse(path)).collect(),
        })
    }
}
