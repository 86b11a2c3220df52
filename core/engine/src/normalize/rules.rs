//! Values made unreadable on their way: `hash` and `mask`.
//!
//! What is hidden is the value's text: a number's digits, a day in ISO form, an instant in UTC, bytes
//! in hexadecimal, JSON as it came. So a hash is the same whatever the column's type, and in every
//! connection that has the same salt. NULL stays NULL.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tributary_model::{DataType, Error, Mask, Result, Secret};

use super::identity::plain;

/// What stands for a character that is hidden.
const STAR: char = '*';
/// What stands for the hidden part of an address, however long it is.
const STARS: &str = "***";

/// How the values of a column are hidden.
#[derive(Clone, Debug)]
pub(crate) enum Hide {
    /// HMAC-SHA-256 with this key, hexadecimal.
    Hash(Secret),
    /// As a mask says.
    Mask(Mask),
}

impl Hide {
    /// The type of a column that is hidden like this, given its own.
    pub(crate) fn data_type(&self, own: DataType) -> DataType {
        match self {
            Self::Mask(Mask::Null) => own,
            Self::Hash(_) | Self::Mask(_) => DataType::Text,
        }
    }

    /// A value's text, hidden; `None` where nothing is left of it.
    pub(crate) fn text(&self, text: &str) -> Result<Option<String>> {
        Ok(match self {
            Self::Hash(key) => Some(hashed(hasher(key)?, text)),
            Self::Mask(mask) => masked(text, mask),
        })
    }
}

/// The column, each value hidden.
pub(crate) fn hide(array: &ArrayRef, how: &Hide) -> Result<ArrayRef> {
    if let Hide::Mask(Mask::Null) = how {
        return Ok(new_null_array(array.data_type(), array.len()));
    }
    let array = plain(array)?;
    let options = FormatOptions::default();
    let texts = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|cause| Error::bug("a column can't be read as text").because(cause))?;
    let hasher = match how {
        Hide::Hash(key) => Some(hasher(key)?),
        Hide::Mask(_) => None,
    };
    let mut hidden = StringBuilder::with_capacity(array.len(), array.len() * 16);
    for row in 0..array.len() {
        let text = array.is_valid(row).then(|| texts.value(row).to_string());
        hidden.append_option(match (text, &hasher, how) {
            (None, ..) => None,
            (Some(text), Some(hasher), _) => Some(hashed(hasher.clone(), &text)),
            (Some(text), None, how) => how.text(&text)?,
        });
    }
    Ok(Arc::new(hidden.finish()))
}

fn hasher(key: &Secret) -> Result<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map_err(|cause| Error::bug(format!("the salt can't be used: {cause}")))
}

fn hashed(mut hasher: Hmac<Sha256>, text: &str) -> String {
    use std::fmt::Write;
    hasher.update(text.as_bytes());
    let digest = hasher.finalize().into_bytes();
    digest
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn masked(text: &str, mask: &Mask) -> Option<String> {
    let length = text.chars().count();
    // A value that would be shown whole is hidden whole.
    let kept = |keep: usize| if keep < length { keep } else { 0 };
    let shown = |shows: &dyn Fn(usize) -> bool| {
        let character = |(index, c)| if shows(index) { c } else { STAR };
        text.chars().enumerate().map(character).collect()
    };
    match mask {
        Mask::KeepLast(keep) => {
            let hidden = length - kept(*keep);
            Some(shown(&|index| index >= hidden))
        }
        Mask::KeepFirst(keep) => {
            let keep = kept(*keep);
            Some(shown(&|index| index < keep))
        }
        Mask::Email => Some(address(text).unwrap_or_else(|| shown(&|_| false))),
        Mask::Null => None,
        Mask::Constant(constant) => Some(constant.clone()),
    }
}

/// An address with its first character and its domain; `None` for what is no address.
fn address(text: &str) -> Option<String> {
    let (name, domain) = text.rsplit_once('@')?;
    let mut characters = name.chars();
    let first = characters.next()?;
    let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    if domain.is_empty() || !domain.chars().all(is_domain) {
        return None;
    }
    Some(match characters.next() {
        Some(_) => format!("{first}{STARS}@{domain}"),
        None => format!("{STARS}@{domain}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
        StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn hidden(array: impl Array + 'static, how: &Hide) -> Vec<Option<String>> {
        let made = hide(&(Arc::new(array) as ArrayRef), how).unwrap();
        let texts = made.as_string::<i32>().iter();
        texts.map(|text| text.map(str::to_owned)).collect()
    }

    fn one(text: &str, mask: Mask) -> String {
        let found = hidden(StringArray::from(vec![text]), &Hide::Mask(mask));
        found[0].clone().unwrap()
    }

    #[test]
    fn a_mask_counts_characters_and_keeps_null() {
        let texts = || StringArray::from(vec![Some("+49 30 1234"), None, Some("äöüß"), Some("")]);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            hidden(texts(), &Hide::Mask(Mask::KeepLast(3))),
            [some("********234"), None, some("*öüß"), some("")]
        );
        assert_eq!(
            hidden(texts(), &Hide::Mask(Mask::KeepFirst(1))),
            [some("+**********"), None, some("ä***"), some("")]
        );
        assert_eq!(
            hidden(texts(), &Hide::Mask(Mask::Constant("x".into()))),
            [some("x"), None, some("x"), some("x")]
        );
        assert_eq!(
            hidden(texts(), &Hide::Mask(Mask::Null)),
            [None, None, None, None]
        );
        assert_eq!(one("🧑‍🚀 in space", Mask::KeepLast(5)), "*******space");
    }

    #[test]
    fn a_value_that_would_be_shown_whole_is_hidden_whole() {
        for keep in [2, 3, 100] {
            assert_eq!(one("ab", Mask::KeepLast(keep)), "**");
            assert_eq!(one("ab", Mask::KeepFirst(keep)), "**");
        }
        assert_eq!(one("ab", Mask::KeepLast(1)), "*b");
        assert_eq!(one("ab", Mask::KeepLast(0)), "**");
    }

    #[test]
    fn an_address_keeps_its_first_character_and_its_domain() {
        for (text, expected) in [
            ("anna.lee@example.com", "a***@example.com"),
            ("ü@bücher.example", "***@bücher.example"),
            ("o'neill+tag@sub.example.co.uk", "o***@sub.example.co.uk"),
            ("a@b@c.example", "a***@c.example"),
            // No address: nothing of it is shown.
            ("not an address", "**************"),
            ("@example.com", "************"),
            ("anna@", "*****"),
            ("anna@home <anna>", "****************"),
            ("", ""),
        ] {
            assert_eq!(one(text, Mask::Email), expected, "{text}");
        }
    }

    #[test]
    fn every_type_is_hidden_as_its_text() {
        let last = Hide::Mask(Mask::KeepLast(2));
        let text = |found: Vec<Option<String>>| found[0].clone().unwrap();
        let day = Date32Array::from(vec![19_782]); // 2024-02-29
        let instant = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("UTC");
        let money = Decimal128Array::from(vec![12_345])
            .with_precision_and_scale(10, 2)
            .unwrap();
        let bytes = BinaryArray::from(vec![&[0xde_u8, 0xad][..]]);
        assert_eq!(text(hidden(Int32Array::from(vec![-1234]), &last)), "***34");
        assert_eq!(text(hidden(day, &last)), "********29");
        assert!(text(hidden(instant, &last)).ends_with("01"));
        assert_eq!(text(hidden(money, &last)), "****45");
        assert_eq!(text(hidden(bytes, &last)), "**ad");
        assert_eq!(text(hidden(BooleanArray::from(vec![true]), &last)), "**ue");
        assert_eq!(text(hidden(Float64Array::from(vec![0.25]), &last)), "**25");
    }

    #[test]
    fn a_hash_is_hmac_sha_256_of_the_text() {
        // RFC 4231, test case 2.
        let array = StringArray::from(vec!["what do ya want for nothing?"]);
        assert_eq!(
            hidden(array, &Hide::Hash(Secret::new("Jefe")))[0].as_deref(),
            Some("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        let key = Hide::Hash(Secret::new("k"));
        let numbers = hidden(Int32Array::from(vec![7]), &key);
        assert_eq!(numbers, hidden(StringArray::from(vec!["7"]), &key));
        let instant = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
        assert_eq!(hidden(instant, &key)[0].as_ref().map(String::len), Some(64));
        assert_eq!(key.text("7").unwrap(), numbers[0]);
        assert_ne!(Hide::Hash(Secret::new("l")).text("7").unwrap(), numbers[0]);
    }
}
