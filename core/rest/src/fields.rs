//! Takes a mapping apart by its known keys; what is left over is a mistake.

use crate::problem::{At, Log, instead};
use crate::yaml::{Key, Node, Yaml};

/// A mapping that is being read.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// What the mapping is, for messages: "a stream".
    what: &'static str,
    pub(crate) at: At,
    entries: &'n [(Key, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Begins to read `node`, which must be a mapping.
    pub(crate) fn open(node: &'n Node, what: &'static str, log: &mut Log) -> Option<Self> {
        match &node.value {
            Yaml::Map(entries) => Some(Self {
                what,
                at: node.at,
                entries,
                asked: Vec::new(),
            }),
            _ => {
                log.add(node.at, format!("{what} is a mapping, not {}", node.kind()));
                None
            }
        }
    }

    /// The value of a key, where it is there and not empty.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        let (_, value) = self.entries.iter().find(|(had, _)| had.name == key)?;
        (value.value != Yaml::Null).then_some(value)
    }

    /// What `read` makes of the value of a key, where it is there.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        log: &mut Log,
        read: impl FnOnce(&'n Node, &mut Log) -> Option<T>,
    ) -> Option<T> {
        self.take(key).and_then(|node| read(node, log))
    }

    /// The same of a list, which may be left out.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        log: &mut Log,
        read: impl FnOnce(&'n Node, &mut Log) -> Vec<T>,
    ) -> Vec<T> {
        self.take(key).map_or_else(Vec::new, |node| read(node, log))
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, key: &'static str, log: &mut Log) -> Option<&'n Node> {
        let found = self.take(key);
        if found.is_none() {
            log.add(self.at, format!("{} needs `{key}`", self.what));
        }
        found
    }

    /// Those of `words` that are there.
    pub(crate) fn any_of(&mut self, words: &[&'static str]) -> Vec<&'static str> {
        self.asked.extend_from_slice(words);
        let is_there =
            |word: &&&'static str| self.entries.iter().any(|(had, _)| had.name == **word);
        words.iter().filter(is_there).copied().collect()
    }

    /// Ends reading: keys that nobody asked for are mistakes.
    pub(crate) fn close(self, log: &mut Log) {
        for (key, _) in self.entries {
            if !self.asked.contains(&key.name.as_str()) {
                let what = format!("`{}` is not a word of {}", key.name, self.what);
                log.help(key.at, what, instead(&key.name, self.asked.iter().copied()));
            }
        }
    }
}

/// A text; numbers and truth values count as their texts.
pub(crate) fn text(node: &Node, log: &mut Log) -> Option<String> {
    match &node.value {
        Yaml::Text(text) => Some(text.clone()),
        Yaml::Number(number) => Some(number.to_string()),
        Yaml::Bool(value) => Some(value.to_string()),
        _ => wrong(node, "text", log),
    }
}

/// A whole number from 1 on.
pub(crate) fn count(node: &Node, log: &mut Log) -> Option<u32> {
    let number = match &node.value {
        Yaml::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        _ => None,
    };
    match number.filter(|number| *number > 0) {
        Some(number) => Some(number),
        None => wrong(node, "a whole number from 1 on", log),
    }
}

/// True or false.
pub(crate) fn truth(node: &Node, log: &mut Log) -> Option<bool> {
    match node.value {
        Yaml::Bool(value) => Some(value),
        _ => wrong(node, "true or false", log),
    }
}

/// The items of a list; one item may stand without brackets.
pub(crate) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Yaml::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// A list of texts; one may stand without brackets.
pub(crate) fn texts(node: &Node, log: &mut Log) -> Vec<String> {
    items(node)
        .iter()
        .filter_map(|item| text(item, log))
        .collect()
}

/// The entries of a mapping.
pub(crate) fn entries<'n>(node: &'n Node, log: &mut Log) -> &'n [(Key, Node)] {
    match &node.value {
        Yaml::Map(entries) => entries,
        Yaml::Null => &[],
        _ => {
            wrong::<()>(node, "a mapping", log);
            &[]
        }
    }
}

/// One of a few words.
pub(crate) fn word<T: Copy>(node: &Node, words: &[(&str, T)], log: &mut Log) -> Option<T> {
    let text = text(node, log)?;
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, value)) => Some(*value),
        None => {
            let help = instead(&text, words.iter().map(|(word, _)| *word));
            log.help(node.at, format!("`{text}` is not possible here"), help);
            None
        }
    }
}

/// A length of time such as `60s`, `10m`, `2h` or `14d`, in milliseconds.
pub(crate) fn duration(node: &Node, log: &mut Log) -> Option<i64> {
    let parsed = node.text().and_then(milliseconds);
    parsed.or_else(|| {
        wrong(
            node,
            "a length of time such as `60s`, `10m`, `2h` or `14d`",
            log,
        )
    })
}

fn milliseconds(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Notes that something else was wanted.
pub(crate) fn wrong<T>(node: &Node, wanted: &str, log: &mut Log) -> Option<T> {
    log.add(
        node.at,
        format!("this should be {wanted}, and is {}", node.kind()),
    );
    None
}
