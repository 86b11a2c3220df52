//! A record that outlives the page it came in.

use std::ops::Range;
use std::sync::Arc;

use crate::json::Raw;

/// A stretch of a text that is one JSON value.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    text: Arc<String>,
    range: Range<usize>,
    /// The record that it was inside of, where it was inside of one.
    around: Option<Range<usize>>,
}

impl Record {
    /// The whole of a text that is a valid JSON value.
    pub(crate) fn whole(text: String) -> Result<Self, crate::json::Broken> {
        let raw = Raw::parse(&text)?;
        let range = place(&text, raw);
        Ok(Self {
            text: Arc::new(text),
            range,
            around: None,
        })
    }

    /// A value inside `text`.
    pub(crate) fn inside(text: &Arc<String>, raw: Raw<'_>, around: Option<Raw<'_>>) -> Self {
        Self {
            text: text.clone(),
            range: place(text, raw),
            around: around.map(|raw| place(text, raw)),
        }
    }

    /// The same value without the rest of its page.
    pub(crate) fn alone(&self) -> Self {
        let text = self.raw().as_str().to_owned();
        let range = 0..text.len();
        Self {
            text: Arc::new(text),
            range,
            around: None,
        }
    }

    /// The text that it is a part of.
    pub(crate) fn page(&self) -> &Arc<String> {
        &self.text
    }

    /// The value.
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw::known(&self.text[self.range.clone()])
    }

    /// What it was inside of.
    pub(crate) fn around(&self) -> Option<Raw<'_>> {
        self.around
            .clone()
            .map(|range| Raw::known(&self.text[range]))
    }
}

/// Where a value that points into `text` stands there.
fn place(text: &str, raw: Raw<'_>) -> Range<usize> {
    let start = raw.as_str().as_ptr() as usize - text.as_ptr() as usize;
    debug_assert!(start + raw.as_str().len() <= text.len());
    start..start + raw.as_str().len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::path::Path;

    #[test]
    fn a_record_remembers_where_it_was() {
        let page = Record::whole(r#" {"id": "p", "list": [{"id": 1}]} "#.to_owned()).unwrap();
        let parent = page.raw();
        let item = parent.items(&Path::parse("list"))[0];
        let record = Record::inside(page.page(), item, Some(parent));
        assert_eq!(record.raw().as_str(), r#"{"id": 1}"#);
        assert_eq!(
            record
                .around()
                .unwrap()
                .find(&Path::parse("id"))
                .unwrap()
                .text(),
            "p"
        );
        assert_eq!(record.alone().raw(), record.raw());
    }
}
