//! As much XML as S3 needs: elements with text, no attributes but the name space.

use std::fmt::Write;

/// An element and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: String,
    inside: String,
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            inside: String::new(),
        }
    }

    /// Adds an element that holds text.
    pub(super) fn text(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let _ = write!(self.inside, "<{name}>{}</{name}>", escaped(value.as_ref()));
        self
    }

    /// Adds an element.
    pub(super) fn child(mut self, child: &Self) -> Self {
        let _ = write!(
            self.inside,
            "<{name}>{}</{name}>",
            child.inside,
            name = child.name
        );
        self
    }

    /// Adds several elements.
    pub(super) fn children(self, children: impl IntoIterator<Item = Self>) -> Self {
        children
            .into_iter()
            .fold(self, |element, child| element.child(&child))
    }

    pub(super) fn document(&self) -> String {
        // Errors carry no name space in S3, everything else does.
        let space = if self.name == "Error" {
            ""
        } else {
            " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{name}{space}>{}</{name}>",
            self.inside,
            name = self.name
        )
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&#13;", "\r")
        .replace("&#10;", "\n")
        .replace("&amp;", "&")
}

/// What stands in each `<name>` of a document, markup included.
pub(super) fn all<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    let mut found = Vec::new();
    while let Some(start) = rest.find(&open) {
        let inside = &rest[start + open.len()..];
        let Some(end) = inside.find(&close) else {
            break;
        };
        found.push(&inside[..end]);
        rest = &inside[end + close.len()..];
    }
    found
}

/// The text of the first `<name>`.
pub(super) fn text(document: &str, name: &str) -> Option<String> {
    all(document, name).first().map(|text| unescaped(text))
}
