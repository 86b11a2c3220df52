//! What makes a stream incremental: windows on a field, an opaque token, or a filter of our own.

use crate::cond::Cond;
use crate::fields::{Fields, duration, text, truth, word, wrong};
use crate::path::Path;
use crate::point::Format;
use crate::problem::{Log, instead};
use crate::yaml::Node;

use super::request::{Pairs, Target, pairs};

/// How a stream is read further instead of anew.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CursorSpec {
    Window(WindowSpec),
    Token(TokenSpec),
    /// The API can't filter: rows with an older value are left out here.
    Local {
        field: Path,
        format: Format,
    },
}

/// Windows on a field that the API filters by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WindowSpec {
    pub(crate) field: Path,
    pub(crate) format: Format,
    pub(crate) from: Option<Target>,
    pub(crate) to: Option<Target>,
    pub(crate) bounds: Bounds,
    pub(crate) order: Order,
    /// How long rows may take to appear, milliseconds.
    pub(crate) lag: i64,
    /// How far back rows may still change, milliseconds.
    pub(crate) lookback: i64,
    /// The longest window that is asked for at once, milliseconds.
    pub(crate) window: Option<i64>,
    /// What the ends of windows are a multiple of, where that is more than the format's own unit,
    /// milliseconds.
    pub(crate) coarse: Option<i64>,
}

/// Which of its ends a window contains, as the API sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) first: End,
    pub(crate) last: End,
}

/// Whether a window contains an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    In,
    Out,
}

/// In which order rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
    None,
}

/// A cursor that only the API understands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenSpec {
    pub(crate) token: Path,
    pub(crate) to: Target,
    /// Sent until there is a token.
    pub(crate) first: Pairs,
    /// When everything has been read.
    pub(crate) end: Cond,
    /// Whether what a token leads to begins with records that came before it.
    pub(crate) overlaps: bool,
    /// Whether the API says that everything has been read by the same token once more.
    pub(crate) stays: bool,
}

impl WindowSpec {
    /// What the ends of windows are a multiple of.
    pub(crate) fn grain(&self) -> i64 {
        let own = self.format.grain();
        self.coarse.map_or(own, |coarse| coarse.max(own))
    }
}

const KINDS: [&str; 3] = ["field", "token", "local"];

impl CursorSpec {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a cursor", log)?;
        let kinds = fields.any_of(&KINDS);
        let spec = match kinds.as_slice() {
            ["field"] => window(&mut fields, log).map(Self::Window),
            ["token"] => token(&mut fields, log).map(Self::Token),
            ["local"] => local(&mut fields, log),
            _ => wrong(node, "a mapping with one of field, token, local", log),
        };
        fields.close(log);
        spec
    }
}

fn window(fields: &mut Fields<'_>, log: &mut Log) -> Option<WindowSpec> {
    let at = fields.at;
    let field = fields.need("field", log).and_then(|node| text(node, log));
    let format = fields
        .need("format", log)
        .and_then(|node| format(node, log));
    let from = fields.take("from").and_then(|node| Target::read(node, log));
    let to = fields.take("to").and_then(|node| Target::read(node, log));
    let bounds = fields
        .need("bounds", log)
        .and_then(|node| bounds(node, log));
    let words = [
        ("asc", Order::Ascending),
        ("desc", Order::Descending),
        ("none", Order::None),
    ];
    let order = fields
        .need("order", log)
        .and_then(|node| word(node, &words, log));
    let mut length = |key| fields.take(key).and_then(|node| duration(node, log));
    let (lag, lookback, window) = (length("lag"), length("lookback"), length("window"));
    let coarse = length("grain");
    let spec = WindowSpec {
        field: Path::parse(&field?),
        format: format?,
        from,
        to,
        bounds: bounds?,
        order: order?,
        lag: lag.unwrap_or(0),
        lookback: lookback.unwrap_or(0),
        window,
        coarse,
    };
    if !spec.format.is_time() && (spec.lag, spec.lookback) != (0, 0) {
        log.add(
            at,
            "`lag` and `lookback` are times, and this cursor's field is a number",
        );
    }
    Some(spec)
}

fn format(node: &Node, log: &mut Log) -> Option<Format> {
    let text = text(node, log)?;
    let format = Format::parse(&text);
    if format.is_none() {
        let known = ["rfc3339", "unix", "unix_ms", "date", "int"];
        let help = format!(
            "{} A pattern such as `%Y%m%d` is possible too.",
            instead(&text, known)
        );
        log.help(node.at, format!("`{text}` is not a format of time"), help);
    }
    format
}

fn bounds(node: &Node, log: &mut Log) -> Option<Bounds> {
    let bounds = |first, last| Bounds { first, last };
    let words = [
        ("[)", bounds(End::In, End::Out)),
        ("(]", bounds(End::Out, End::In)),
        ("[]", bounds(End::In, End::In)),
        ("()", bounds(End::Out, End::Out)),
    ];
    word(node, &words, log)
}

fn token(fields: &mut Fields<'_>, log: &mut Log) -> Option<TokenSpec> {
    let path = fields.need("token", log).and_then(|node| text(node, log));
    let to = fields
        .need("to", log)
        .and_then(|node| Target::read(node, log));
    let first = pairs(fields.take("first"), log);
    let end = fields.need("end", log).and_then(|node| match node.text() {
        Some(path) => Some(Cond::At(
            Path::parse(path),
            crate::cond::Test::Is(true.into()),
        )),
        None => Cond::read(node, log),
    });
    let mut says = |key| fields.take(key).and_then(|node| truth(node, log)) == Some(true);
    let (overlaps, stays) = (says("overlaps"), says("stays"));
    Some(TokenSpec {
        token: Path::parse(&path?),
        to: to?,
        first,
        end: end?,
        overlaps,
        stays,
    })
}

fn local(fields: &mut Fields<'_>, log: &mut Log) -> Option<CursorSpec> {
    let field = fields.need("local", log).and_then(|node| text(node, log));
    let format = match fields.take("format") {
        Some(node) => format(node, log)?,
        None => Format::Rfc3339,
    };
    Some(CursorSpec::Local {
        field: Path::parse(&field?),
        format,
    })
}
