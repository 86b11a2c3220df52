//! What a page is made of: parts that are replaced while it is open.

use maud::Markup;

/// A part of a page that is replaced as a whole: the element with this id.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) id: String,
    pub(super) html: Markup,
}

impl Fragment {
    pub(super) fn new(id: &str, html: Markup) -> Self {
        Self {
            id: id.to_owned(),
            html,
        }
    }
}
