//! How the next page is asked for, and which page is the last.

use crate::cond::{Cond, Test};
use crate::fields::{Fields, count, text, truth, word, wrong};
use crate::path::Path;
use crate::problem::Log;
use crate::yaml::{Node, Yaml};

use super::request::Target;

/// The way through the pages of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pager {
    pub(crate) way: Way,
    /// The parameter of a page's size, and the size.
    pub(crate) size: Option<(Target, u32)>,
    /// When there is no further page.
    pub(crate) more: Option<Cond>,
    pub(crate) stop: Option<Stop>,
    /// Whether a page that took too long is asked for at half its size.
    pub(crate) shrink: bool,
    /// What tells the items of a list apart that never change in number, only in order: where one
    /// comes twice another was missed.
    pub(crate) once: Option<Path>,
    /// Pages that may be asked for before the walk must begin anew from the last value seen. // G6
    pub(crate) cap: Option<u32>,
}

/// What names the next page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Way {
    /// There is only one.
    #[default]
    None,
    /// A cursor in the answer.
    Cursor { from: Path, to: Target },
    /// A header of the answer.
    Header { name: String, to: Target },
    /// The whole address in the answer; of `take`, only that parameter of it.
    Next { from: Path, take: Option<String> },
    /// The `Link` header, `rel="next"`.
    Link { take: Option<String> },
    /// The last record's own name.
    Last { of: Path, to: Target },
    /// How many records were skipped.
    Offset { to: Target },
    /// The number of the page.
    Page { to: Target, first: u32 },
}

/// Which page is the last, where the answer does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// One with fewer records than were asked for.
    Short,
    /// One without records.
    Empty,
}

const WAYS: [&str; 5] = ["cursor", "next", "last", "offset", "page"];

impl Pager {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        if node.text() == Some("none") {
            return Some(Self::default());
        }
        let mut fields = Fields::open(node, "a pager", log)?;
        let ways = fields.any_of(&WAYS);
        let way = match ways.as_slice() {
            [way] => way_of(way, &mut fields, log),
            // A cursor leads through the pages; only their size is to be said.
            [] if !fields.any_of(&["size"]).is_empty() => Some(Way::None),
            _ => wrong(
                node,
                "a mapping with one of cursor, next, last, offset, page",
                log,
            ),
        };
        let more = fields.take("more").and_then(|node| more(node, log));
        let words = [("short", Stop::Short), ("empty", Stop::Empty)];
        let stop = fields.take("stop").and_then(|node| word(node, &words, log));
        let size = fields.take("size").and_then(|node| size(node, log));
        let shrink = fields.take("shrink").and_then(|node| truth(node, log)) == Some(true);
        let once = fields.take("once").and_then(|node| text(node, log));
        let once = once.map(|name| Path::parse(&name));
        let cap = fields.take("cap").and_then(|node| count(node, log));
        let at = fields.at;
        fields.close(log);
        let pager = Self {
            way: way?,
            size,
            more,
            stop,
            shrink,
            once,
            cap,
        };
        pager.vet(at, log);
        Some(pager)
    }

    fn vet(&self, at: crate::problem::At, log: &mut Log) {
        let counts = matches!(self.way, Way::Offset { .. } | Way::Page { .. });
        if counts && self.stop.is_none() && self.more.is_none() {
            let help = "Write `stop: short`, `stop: empty`, or `more: path` if the answer says.";
            log.help(at, "nothing says which page is the last", help);
        }
        if matches!(self.way, Way::Last { .. }) && self.stop.is_none() && self.more.is_none() {
            log.help(
                at,
                "nothing says which page is the last",
                "Write `more: path`.",
            );
        }
        let by_size = self.stop == Some(Stop::Short) || matches!(self.way, Way::Offset { .. });
        if by_size && self.size.is_none() {
            log.help(
                at,
                "this pager needs the size of a page",
                "Write `size: {limit: 100}`.",
            );
        }
        if self.shrink && self.size.is_none() {
            log.help(
                at,
                "`shrink` needs the size of a page",
                "Write `size: {limit: 100}`.",
            );
        }
    }

    /// Whether a page's name still means the same in a later run.
    pub(crate) fn is_lasting(&self) -> bool {
        match self.way {
            Way::Cursor { .. }
            | Way::Header { .. }
            | Way::Next { .. }
            | Way::Link { .. }
            | Way::Last { .. } => true,
            Way::None | Way::Offset { .. } | Way::Page { .. } => false,
        }
    }
}

fn way_of(word: &str, fields: &mut Fields<'_>, log: &mut Log) -> Option<Way> {
    match word {
        "cursor" => {
            let node = fields.need("cursor", log)?;
            let to = fields
                .need("to", log)
                .and_then(|node| Target::read(node, log))?;
            match node.get("header") {
                Some(name) => Some(Way::Header {
                    name: text(name, log)?.to_lowercase(),
                    to,
                }),
                None => Some(Way::Cursor {
                    from: Path::parse(&text(node, log)?),
                    to,
                }),
            }
        }
        "next" => {
            let take = fields.take("take").and_then(|node| text(node, log));
            let from = text(fields.need("next", log)?, log)?;
            Some(match from.as_str() {
                "link" => Way::Link { take },
                path => Way::Next {
                    from: Path::parse(path),
                    take,
                },
            })
        }
        "last" => {
            let of = Path::parse(&text(fields.need("last", log)?, log)?);
            let to = fields
                .need("to", log)
                .and_then(|node| Target::read(node, log))?;
            Some(Way::Last { of, to })
        }
        "offset" => {
            let to = Target::read(fields.need("offset", log)?, log)?;
            Some(Way::Offset { to })
        }
        _ => {
            let to = Target::read(fields.need("page", log)?, log)?;
            let first = match fields.take("first") {
                Some(node) if node.to_json() == 0 => 0,
                Some(node) => count(node, log)?,
                None => 1,
            };
            Some(Way::Page { to, first })
        }
    }
}

/// `more: has_more`, or a condition.
fn more(node: &Node, log: &mut Log) -> Option<Cond> {
    match &node.value {
        Yaml::Text(path) => Some(Cond::At(Path::parse(path), Test::Is(true.into()))),
        _ => Cond::read(node, log),
    }
}

fn size(node: &Node, log: &mut Log) -> Option<(Target, u32)> {
    match &node.value {
        Yaml::Map(entries) => match entries.as_slice() {
            [(key, value)] => {
                let name = Node {
                    at: key.at,
                    value: Yaml::Text(key.name.clone()),
                };
                Some((Target::read(&name, log)?, count(value, log)?))
            }
            _ => wrong(node, "one parameter and its size: `{limit: 100}`", log),
        },
        _ => wrong(node, "one parameter and its size: `{limit: 100}`", log),
    }
}
