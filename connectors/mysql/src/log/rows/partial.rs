//! After images in which JSON columns may be changes: `binlog_row_value_options = PARTIAL_JSON`.
//!
//! Such an image begins with a number of options. Where the first of them is set, a bit for each JSON
//! column of the table follows, whether the column comes as changes. The rest is as in any image.

use tributary_model::Result;

use crate::column::Kind;
use crate::decode::patched;
use crate::decode::reader::{Reader, malformed};
use crate::layout::Layout;

/// JSON columns may come as changes: the only option there is.
const PARTIAL_JSON: u64 = 1;

/// Appends the whole image that `images` goes on with; `before` is the image of the same row before.
pub(super) fn after(
    layout: &Layout,
    before: &[u8],
    images: &mut Reader<'_>,
    to: &mut Vec<u8>,
) -> Result<()> {
    let columns = &layout.image;
    let is_json = |place: usize| columns[place].kind == Some(Kind::Json);
    let options = images.length_encoded()?;
    let json = (0..columns.len()).filter(|place| is_json(*place)).count();
    let changed = match options {
        0 => &[][..],
        PARTIAL_JSON => images.take(json.div_ceil(8))?,
        other => return Err(malformed(format!("an updated row has the options {other}"))),
    };
    let nulls = images.take(columns.len().div_ceil(8))?;
    to.extend_from_slice(nulls);
    let mut was = Reader::new(before);
    let nulls_before = was.take(columns.len().div_ceil(8))?;
    let mut bit = 0;
    for (place, column) in columns.iter().enumerate() {
        let old = match is_set(nulls_before, place) {
            true => None,
            false => Some(column.wire.take(&mut was)?),
        };
        let partial = is_json(place) && is_set(changed, bit);
        bit += usize::from(is_json(place));
        if is_set(nulls, place) {
            continue;
        }
        let rest = images.rest();
        let value = column.wire.take(images)?;
        if partial {
            let old = old.ok_or_else(|| malformed("a JSON document that is NULL was changed"))?;
            let document = patched(old, value)?;
            to.extend_from_slice(&(document.len() as u32).to_le_bytes());
            to.extend_from_slice(&document);
        } else {
            to.extend_from_slice(&rest[..rest.len() - images.rest().len()]);
        }
    }
    Ok(())
}

fn is_set(bits: &[u8], place: usize) -> bool {
    bits.get(place / 8)
        .is_some_and(|byte| byte >> (place % 8) & 1 == 1)
}
