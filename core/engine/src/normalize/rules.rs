//! Values made unreadable on their way: `hash` and `mask`.

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Arc;
use tributary_model::{Error, Mask, Result, Secret};

/// How the values of a column are hidden.
#[derive(Clone, Debug)]
pub(crate) enum Hide {
    /// HMAC-SHA-256 with this key, hexadecimal.
    Hash(Secret),
    /// All but some characters become `*`.
    Mask(Mask),
}

/// The column as text, each value hidden; NULL stays NULL.
pub(crate) fn hide(array: &dyn Array, how: &Hide) -> Result<ArrayRef> {
    let options = FormatOptions::default();
    let texts = ArrayFormatter::try_new(array, &options)
        .map_err(|cause| Error::bug("a column can't be read as text").because(cause))?;
    let mut hidden = StringBuilder::with_capacity(array.len(), array.len() * 16);
    for row in 0..array.len() {
        if array.is_null(row) {
            hidden.append_null();
        } else {
            hidden.append_value(one(&texts.value(row).to_string(), how)?);
        }
    }
    Ok(Arc::new(hidden.finish()))
}

fn one(text: &str, how: &Hide) -> Result<String> {
    match how {
        Hide::Hash(key) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
                .map_err(|cause| Error::bug(format!("the salt can't be used: {cause}")))?;
            mac.update(text.as_bytes());
            Ok(mac
                .finalize()
                .into_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect())
        }
        Hide::Mask(mask) => Ok(masked(text, *mask)),
    }
}

fn masked(text: &str, mask: Mask) -> String {
    let length = text.chars().count();
    let shown = |index: usize| match mask {
        Mask::KeepLast(keep) => index + keep >= length,
        Mask::KeepFirst(keep) => index < keep,
    };
    text.chars()
        .enumerate()
        .map(|(index, c)| if shown(index) { c } else { '*' })
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, StringArray};

    use super::*;

    fn hidden(array: &dyn Array, how: &Hide) -> Vec<Option<String>> {
        let made = hide(array, how).unwrap();
        let texts = made.as_any().downcast_ref::<StringArray>().unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_mask_counts_characters_and_keeps_null() {
        let array = StringArray::from(vec![Some("+49 30 1234"), None, Some("äö"), Some("")]);
        assert_eq!(
            hidden(&array, &Hide::Mask(Mask::KeepLast(3))),
            [
                Some("********234".into()),
                None,
                Some("äö".into()),
                Some(String::new())
            ]
        );
        assert_eq!(
            hidden(&array, &Hide::Mask(Mask::KeepFirst(1)))[2],
            Some("ä*".into())
        );
    }

    #[test]
    fn a_hash_is_hmac_sha_256() {
        // RFC 4231, test case 2.
        let array = StringArray::from(vec!["what do ya want for nothing?"]);
        assert_eq!(
            hidden(&array, &Hide::Hash(Secret::new("Jefe")))[0].as_deref(),
            Some("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        let numbers = Int32Array::from(vec![7]);
        let text = StringArray::from(vec!["7"]);
        let key = Hide::Hash(Secret::new("k"));
        assert_eq!(hidden(&numbers, &key), hidden(&text, &key));
    }
}
