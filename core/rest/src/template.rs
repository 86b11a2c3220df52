//! Texts with gaps: `/lists/{each.id}/members`, `{config.start_date|unix}`.
//!
//! A gap names a value and, after `|`, how it is written. There are no conditions, no loops and no
//! arithmetic. A gap with a `?` may be empty: then the parameter or header it stands in is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::path::{Path, as_text};
use crate::point;
use crate::problem::{At, Log, instead};

/// A text with gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// As it was written.
    pub(crate) source: String,
    /// Where it stands in the manifest.
    pub(crate) at: At,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Gap(Gap),
}

/// A value that is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) root: Root,
    pub(crate) path: Path,
    optional: bool,
    filters: Vec<Filter>,
    /// What stands there where there is no value.
    instead: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// What the user configured.
    Config,
    /// The parent's row that is being gone through.
    Each,
    /// A row of the stream itself.
    Row,
    /// What the answer of the login said.
    Token,
    /// What the job's answers said.
    Job,
    /// The body of an answer that failed.
    Body,
    /// The window's beginning, as the API wants it.
    From,
    /// The window's end.
    To,
    /// The page's size.
    Size,
}

const ROOTS: [(&str, Root); 9] = [
    ("config", Root::Config),
    ("each", Root::Each),
    ("row", Root::Row),
    ("token", Root::Token),
    ("job", Root::Job),
    ("body", Root::Body),
    ("from", Root::From),
    ("to", Root::To),
    ("size", Root::Size),
];

/// How a value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    /// Seconds since 1970.
    Unix,
    /// `2024-01-31`.
    Date,
    /// A list with commas.
    Csv,
    /// Base64.
    B64,
    /// One part of a text that is split: `part('-', -1)` is the last.
    Part(String, i64),
}

/// The values that gaps can take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) config: Option<&'a Map<String, Value>>,
    pub(crate) each: Option<&'a Value>,
    pub(crate) row: Option<&'a Value>,
    pub(crate) token: Option<&'a Value>,
    pub(crate) job: Option<&'a Value>,
    pub(crate) body: Option<&'a Value>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) size: Option<u32>,
}

/// Why a text could not be filled in: the gap that has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

impl Template {
    /// Reads a text; `None` after noting a mistake.
    pub(crate) fn parse(text: &str, at: At, log: &mut Log) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let Some(length) = rest[open..].find('}') else {
                log.add(at, "`{` has no `}`");
                return None;
            };
            let inside = &rest[open + 1..open + length];
            pieces.push(Piece::Gap(Gap::parse(inside, at, log)?));
            rest = &rest[open + length + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Some(Self {
            pieces,
            source: text.to_owned(),
            at,
        })
    }

    /// The text; `None` where a gap that may be empty is.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Option<String>, Missing> {
        self.fill(scope, |text| text)
    }

    /// The text as part of an address: values are escaped, so that none can lead elsewhere.
    pub(crate) fn render_path(&self, scope: &Scope<'_>) -> Result<Option<String>, Missing> {
        if let [Piece::Gap(_)] = self.pieces.as_slice() {
            // A whole address that an answer named; the client checks where it leads.
            return self.render(scope);
        }
        self.fill(scope, |text| {
            utf8_percent_encode(&text, SEGMENT).to_string()
        })
    }

    fn fill(
        &self,
        scope: &Scope<'_>,
        escape: impl Fn(String) -> String,
    ) -> Result<Option<String>, Missing> {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Gap(gap) => match gap.text(scope) {
                    Some(text) => filled.push_str(&escape(text)),
                    None if gap.optional => return Ok(None),
                    None => return Err(Missing(gap.name())),
                },
            }
        }
        Ok(Some(filled))
    }

    /// The value itself, where the template is one gap without filters: numbers stay numbers.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, Missing> {
        match self.pieces.as_slice() {
            [Piece::Gap(gap)] if gap.filters.is_empty() && gap.instead.is_none() => {
                match gap.find(scope) {
                    Some(value) => Ok(Some(value)),
                    None if gap.optional => Ok(None),
                    None => Err(Missing(gap.name())),
                }
            }
            _ => Ok(self.render(scope)?.map(Value::String)),
        }
    }

    /// The text with a star for each gap.
    pub(crate) fn as_pattern(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Gap(_) => "*",
        });
        pieces.collect()
    }

    /// The values that it needs.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Gap(gap) => Some(gap),
            Piece::Text(_) => None,
        })
    }

    /// Whether it needs a value from `root`.
    pub(crate) fn uses(&self, root: Root) -> bool {
        self.gaps().any(|gap| gap.root == root)
    }
}

/// What must be escaped in one segment of an address.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'?')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl Gap {
    fn parse(inside: &str, at: At, log: &mut Log) -> Option<Self> {
        let mut parts = inside.split('|').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (word, path) = name.split_once('.').unwrap_or((name, ""));
        let Some((_, root)) = ROOTS.iter().find(|(known, _)| *known == word) else {
            let help = instead(word, ROOTS.iter().map(|(known, _)| *known));
            log.help(
                at,
                format!("`{{{inside}}}` names nothing that could be filled in"),
                help,
            );
            return None;
        };
        let (mut filters, mut instead) = (Vec::new(), None);
        for part in parts {
            match part
                .strip_prefix("or('")
                .and_then(|rest| rest.strip_suffix("')"))
            {
                Some(text) => instead = Some(text.to_owned()),
                None => filters.push(Filter::parse(part, at, log)?),
            }
        }
        Some(Self {
            root: *root,
            path: Path::parse(path),
            optional,
            filters,
            instead,
        })
    }

    /// Whether it may be empty.
    pub(crate) fn is_optional(&self) -> bool {
        self.optional
    }

    /// What it is called in the manifest.
    pub(crate) fn name(&self) -> String {
        let word = ROOTS.iter().find(|(_, root)| *root == self.root);
        let word = word.map_or("", |(word, _)| word);
        match self.path.steps().is_empty() {
            true => word.to_owned(),
            false => format!("{word}.{}", self.path),
        }
    }

    fn find(&self, scope: &Scope<'_>) -> Option<Value> {
        let inside = |value: Option<&Value>| self.path.find(value?).cloned();
        match self.root {
            Root::Config => {
                let (first, rest) = self.path.steps().split_first()?;
                let value = scope.config?.get(first)?;
                Path::parse(&rest.join(".")).find(value).cloned()
            }
            Root::Each => inside(scope.each),
            Root::Row => inside(scope.row),
            Root::Token => inside(scope.token),
            Root::Job => inside(scope.job),
            Root::Body => inside(scope.body),
            Root::From => scope.from.map(Value::from),
            Root::To => scope.to.map(Value::from),
            Root::Size => scope.size.map(Value::from),
        }
    }

    fn text(&self, scope: &Scope<'_>) -> Option<String> {
        self.written(scope).or_else(|| self.instead.clone())
    }

    fn written(&self, scope: &Scope<'_>) -> Option<String> {
        let value = self.find(scope)?;
        let mut filters = self.filters.iter();
        let mut text = match self.filters.first() {
            Some(Filter::Csv) => {
                filters.next();
                let items = value.as_array()?;
                items.iter().map(as_text).collect::<Vec<_>>().join(",")
            }
            _ => as_text(&value),
        };
        for filter in filters {
            text = filter.apply(text)?;
        }
        Some(text)
    }
}

impl Filter {
    fn parse(text: &str, at: At, log: &mut Log) -> Option<Self> {
        match text {
            "unix" => return Some(Self::Unix),
            "date" => return Some(Self::Date),
            "csv" => return Some(Self::Csv),
            "b64" => return Some(Self::B64),
            _ => {}
        }
        let arguments = text
            .strip_prefix("part(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some((separator, index)) = arguments.and_then(|inside| inside.rsplit_once(',')) {
            let separator = separator.trim().trim_matches('\'');
            if let (false, Ok(index)) = (separator.is_empty(), index.trim().parse()) {
                return Some(Self::Part(separator.to_owned(), index));
            }
        }
        let help = "Known are unix, date, csv, b64, part('-', -1) and or('').";
        log.help(at, format!("`{text}` is no way to write a value"), help);
        None
    }

    fn apply(&self, text: String) -> Option<String> {
        match self {
            Self::Unix => Some((point::read(&text)? / 1000).to_string()),
            Self::Date => Some(point::date(point::read(&text)?)),
            Self::Csv => Some(text),
            Self::B64 => Some(STANDARD.encode(text)),
            Self::Part(separator, index) => {
                let parts: Vec<&str> = text.split(separator.as_str()).collect();
                let place = match usize::try_from(*index) {
                    Ok(place) => place,
                    Err(_) => parts.len().checked_sub(usize::try_from(-index).ok()?)?,
                };
                parts.get(place).map(|part| (*part).to_owned())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(text: &str) -> Template {
        let mut log = Log::default();
        let parsed = Template::parse(text, At::default(), &mut log);
        parsed.unwrap_or_else(|| panic!("{}", log.close("t")))
    }

    #[test]
    fn gaps_are_filled_in_as_they_say() {
        let config = json!({"key": "abc-us6", "day": "2024-01-31", "ids": [1, "b"]});
        let scope = Scope {
            config: config.as_object(),
            from: Some("17"),
            ..Scope::default()
        };
        for (text, expected) in [
            ("plain", Some("plain")),
            (
                "https://{config.key|part('-', -1)}.x",
                Some("https://us6.x"),
            ),
            ("{config.key|part('-', 0)}", Some("abc")),
            ("{config.day|unix}", Some("1706659200")),
            ("{config.ids|csv}", Some("1,b")),
            ("{config.key|b64}", Some("YWJjLXVzNg==")),
            ("since {from}", Some("since 17")),
            ("{config.none?}", None),
        ] {
            assert_eq!(
                template(text).render(&scope).unwrap().as_deref(),
                expected,
                "{text}"
            );
        }
        let missing = template("{config.none}").render(&scope).unwrap_err();
        assert_eq!(missing, Missing("config.none".to_owned()));
    }

    #[test]
    fn a_value_can_not_lead_an_address_elsewhere() {
        let row = json!({"id": "../../x?y=1"});
        let scope = Scope {
            row: Some(&row),
            ..Scope::default()
        };
        let path = template("/a/{row.id}/b").render_path(&scope).unwrap();
        assert_eq!(path.as_deref(), Some("/a/..%2F..%2Fx%3Fy=1/b"));
    }

    #[test]
    fn a_gap_that_names_nothing_is_a_mistake() {
        let mut log = Log::default();
        assert!(Template::parse("{confg.x}", At::default(), &mut log).is_none());
        assert!(Template::parse("{config.x|unx}", At::default(), &mut log).is_none());
        assert!(Template::parse("{config.x", At::default(), &mut log).is_none());
        let said = log.close("m").to_string();
        assert!(said.contains("Did you mean `config`?"), "{said}");
    }
}
