//! Text in, values with their places out.
//!
//! Every key that is written twice is found, not only the first; aliases are followed within a
//! budget, so that a small file can't become a large one. Deliberately absent: merge keys (`<<`),
//! which YAML 1.2 does not have.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScanError, StrInput};
use serde_json::{Map, Value};

use crate::error::{At, Issue};
use crate::marks::{Mark, Marks, Span};
use crate::path::Path;
use crate::scalar;

/// The most values a document may have once its aliases are followed. // G6
const MAX_VALUES: usize = 100_000;
/// The most levels it may have. // G6
const MAX_DEPTH: usize = 64;

/// A document as read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) marks: Marks,
    /// What is wrong with it that did not keep it from being read.
    pub(crate) issues: Vec<Issue>,
}

/// Reads the one document in `text`.
///
/// # Errors
/// The mistake that makes the rest unreadable.
pub(crate) fn read(text: &str) -> Result<Document, Issue> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        marks: Marks::default(),
        issues: Vec::new(),
        anchors: BTreeMap::new(),
        values: 0,
        stray: false,
    };
    let value = reader.document()?;
    Ok(Document {
        value,
        marks: reader.marks,
        issues: reader.issues,
    })
}

/// Reads a value written into an environment variable.
pub(crate) fn read_value(text: &str) -> Option<Value> {
    let document = read(text).ok()?;
    document.issues.is_empty().then_some(document.value)
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    marks: Marks,
    issues: Vec<Issue>,
    anchors: BTreeMap<usize, Value>,
    values: usize,
    /// Whether what is being read belongs to a key that was there already.
    stray: bool,
}

type Spanned<'t> = (Event<'t>, Span);

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Value, Issue> {
        let mut value = Value::Null;
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(value),
                Event::Nothing
                | Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
                event => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Issue::new(
                            At::Span(span),
                            "a second document begins here; a configuration is one document",
                        ));
                    }
                    value = self.node((event, span), &Path::default(), None)?;
                }
            }
        }
    }

    fn next(&mut self) -> Result<Spanned<'t>, Issue> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, convert(span))),
            Some(Err(error)) => Err(syntax(&error)),
            None => Ok((Event::StreamEnd, point(1, 1))),
        }
    }

    fn node(
        &mut self,
        (event, span): Spanned<'t>,
        path: &Path,
        key: Option<Span>,
    ) -> Result<Value, Issue> {
        if path.depth() > MAX_DEPTH {
            return Err(Issue::new(At::Span(span), "this is nested too deeply"));
        }
        self.count(1, span)?;
        if !self.stray {
            let mark = Mark { key, value: span };
            self.marks.entries.insert(path.clone(), mark);
        }
        let (value, anchor) = match event {
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            Event::Scalar(text, style, anchor, tag) => {
                self.note_scalar(path, span);
                let value = scalar::read(&text, style, tag.as_deref()).unwrap_or_else(|why| {
                    self.issues.push(Issue::new(At::Span(span), why));
                    Value::from(text.as_ref())
                });
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(path)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(path)?, anchor),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (Value::Null, 0),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self, path: &Path) -> Result<Value, Issue> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                item => {
                    let value = self.node(item, &path.index(items.len()), None)?;
                    items.push(value);
                }
            }
        }
    }

    fn mapping(&mut self, path: &Path) -> Result<Value, Issue> {
        let mut fields = Map::new();
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let (name, key) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(fields)),
                (Event::Scalar(name, ..), key) => (name.into_owned(), key),
                (_, span) => return Err(Issue::new(At::Span(span), "a key must be a word")),
            };
            let item = self.next()?;
            let at = path.key(&name);
            if let Some(line) = first.get(&name) {
                let what = format!("the key `{name}` is there twice{}", path.place());
                let issue = Issue::new(At::Span(key), what);
                self.issues
                    .push(issue.help(format!("The first is in line {line}.")));
                self.skip(item, &at)?;
                continue;
            }
            first.insert(name.clone(), key.line);
            let value = self.node(item, &at, Some(key))?;
            fields.insert(name, value);
        }
    }

    /// Reads past the value of a key that was there already.
    fn skip(&mut self, item: Spanned<'t>, path: &Path) -> Result<(), Issue> {
        let before = std::mem::replace(&mut self.stray, true);
        self.node(item, path, None)?;
        self.stray = before;
        Ok(())
    }

    fn note_scalar(&mut self, path: &Path, span: Span) {
        match self.stray {
            true => self.marks.strays.push(span),
            false => self.marks.scalars.push((path.clone(), span)),
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Value, Issue> {
        let Some(value) = self.anchors.get(&anchor).cloned() else {
            return Err(Issue::new(
                At::Span(span),
                "this alias stands inside the value that it stands for",
            ));
        };
        self.count(size(&value), span)?;
        Ok(value)
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Issue> {
        self.values = self.values.saturating_add(more);
        match self.values > MAX_VALUES {
            true => Err(Issue::new(At::Span(span), "the document is too large")),
            false => Ok(()),
        }
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

fn syntax(error: &ScanError) -> Issue {
    let at = point(error.marker().line(), error.marker().col() + 1);
    let info = error.info();
    let help = match info {
        _ if info.contains('\t') || info.contains("tab") => "Indent with spaces.",
        _ if info.contains("mapping values") => {
            "A value that holds `: ` needs quotes, and keys of one mapping the same indentation."
        }
        _ => "Look for a missing quote, bracket or colon, or an indentation that does not fit.",
    };
    Issue::new(At::Syntax(at), format!("this is not valid YAML: {info}")).help(help)
}

fn point(line: usize, column: usize) -> Span {
    Span {
        line,
        column,
        end_line: line,
        end_column: column + 1,
    }
}

fn convert(span: saphyr_parser::Span) -> Span {
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        end_line: span.end.line(),
        end_column: span.end.col() + 1,
    }
}
