//! The part of a text that is in memory.

use std::io::Read;

use super::{HELD, MARK, MAX_WHOLE, Unfit};

/// Bytes that are read at once, at least.
const CHUNK: usize = if cfg!(test) { 61 } else { 1 << 20 };

/// A text that is read on as far as it is needed.
pub(super) struct Window<'r> {
    reader: &'r mut dyn Read,
    pub(super) text: String,
    /// The beginning of a character whose end has not come.
    cut: Vec<u8>,
    has_begun: bool,
    has_ended: bool,
}

impl<'r> Window<'r> {
    pub(super) fn new(reader: &'r mut dyn Read) -> Self {
        Self {
            reader,
            text: String::new(),
            cut: Vec::new(),
            has_begun: false,
            has_ended: false,
        }
    }

    /// Whether nothing follows.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads on; `false` where nothing follows.
    pub(super) fn more(&mut self) -> Result<bool, Unfit> {
        if self.has_ended {
            return Ok(false);
        }
        if self.text.len() > MAX_WHOLE {
            let megabytes = MAX_WHOLE >> 20;
            let why = format!(
                "one record of the answer, or what is around them, has more than {megabytes} MB"
            );
            return Err(Unfit::Refused(why));
        }
        // As much as there is: what does not end is looked at again only when there is twice as much.
        let wanted = self.text.len().max(CHUNK);
        let mut bytes = std::mem::take(&mut self.cut);
        let read = (&mut *self.reader)
            .take(wanted as u64)
            .read_to_end(&mut bytes)?;
        self.has_ended = read < wanted;
        self.push(&bytes)?;
        if !self.has_begun && self.text.starts_with(MARK) {
            self.text.drain(..MARK.len_utf8());
        }
        self.has_begun = true;
        Ok(true)
    }

    /// Reads until there is enough for a page, or the end.
    pub(super) fn fill(&mut self) -> Result<(), Unfit> {
        while self.text.len() <= HELD && self.more()? {}
        Ok(())
    }

    /// Forgets the first bytes.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.text.drain(..bytes);
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let valid = match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => {
                self.text.push_str(text);
                return Ok(());
            }
            Err(why) if why.error_len().is_none() && !self.has_ended => why.valid_up_to(),
            Err(_) => return Err(Unfit::Broken("the answer is not UTF-8".to_owned())),
        };
        let text = std::str::from_utf8(&bytes[..valid]);
        self.text.push_str(text.unwrap_or_default());
        self.cut = bytes[valid..].to_vec();
        Ok(())
    }
}
