//! Rules for single columns as written: a word, or a mapping of several.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::{ColumnRule, DataType, Mask};

use crate::written::written;

pub(crate) const FORMAT: &str = "column-type";

/// What happens to a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ColumnEntry {
    /// One thing.
    Word(ColumnWord),
    /// Several things, or one that needs saying how.
    Rule(ColumnForm),
}

/// What needs no further word.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ColumnWord {
    /// Never stored, and not read where the source can leave it out.
    Exclude,
    /// Replaced by its HMAC-SHA-256 with the connection's `salt`.
    Hash,
    /// Every character becomes `*`.
    Mask,
}

/// A rule in full.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnForm {
    /// Replaced by its HMAC-SHA-256 with the connection's `salt`.
    #[serde(default)]
    pub(crate) hash: bool,
    /// Hidden but for some characters.
    pub(crate) mask: Option<MaskEntry>,
    /// Its name in the destination.
    pub(crate) rename: Option<String>,
    /// Its type in the destination, such as `decimal(38,9)` or `text`.
    #[serde(rename = "type")]
    pub(crate) data_type: Option<ColumnType>,
}

/// How a value is hidden.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum MaskEntry {
    /// In a way that needs no further word.
    Word(MaskWord),
    /// In a way that needs saying how.
    Form(MaskForm),
}

/// A mask that needs no further word.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaskWord {
    /// The first character and the domain of an address stay.
    Email,
    /// Every value becomes NULL.
    Null,
}

/// What stays, or comes instead: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaskForm {
    /// So many characters at the end.
    pub(crate) keep_last: Option<u16>,
    /// So many characters at the beginning.
    pub(crate) keep_first: Option<u16>,
    /// Every value becomes this text.
    pub(crate) constant: Option<String>,
}

/// A type as a user writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnType(pub(crate) DataType);

/// Reads a type.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<DataType, String> {
    // The model's sentence begins with the text itself.
    text.parse()
        .map_err(|why: String| match why.split_once("; ") {
            Some((_, known)) => known.to_owned(),
            None => "this is not a type".to_owned(),
        })
}

impl From<ColumnEntry> for ColumnRule {
    fn from(entry: ColumnEntry) -> Self {
        let form = match entry {
            ColumnEntry::Rule(form) => form,
            ColumnEntry::Word(ColumnWord::Exclude) => {
                return Self {
                    exclude: true,
                    ..Self::default()
                };
            }
            ColumnEntry::Word(ColumnWord::Hash) => ColumnForm {
                hash: true,
                ..ColumnForm::default()
            },
            ColumnEntry::Word(ColumnWord::Mask) => ColumnForm {
                mask: Some(MaskEntry::Form(MaskForm {
                    keep_last: Some(0),
                    ..MaskForm::default()
                })),
                ..ColumnForm::default()
            },
        };
        Self {
            exclude: false,
            hash: form.hash,
            mask: form.mask.map(Into::into),
            rename: form.rename,
            data_type: form.data_type.map(|ColumnType(data_type)| data_type),
        }
    }
}

impl From<MaskEntry> for Mask {
    fn from(entry: MaskEntry) -> Self {
        match entry {
            MaskEntry::Word(MaskWord::Email) => Self::Email,
            MaskEntry::Word(MaskWord::Null) => Self::Null,
            MaskEntry::Form(form) => match (form.constant, form.keep_first) {
                (Some(text), _) => Self::Constant(text),
                (None, Some(first)) => Self::KeepFirst(first.into()),
                (None, None) => Self::KeepLast(form.keep_last.unwrap_or(0).into()),
            },
        }
    }
}

written!(
    ColumnType,
    FORMAT,
    read,
    ["text", "int64", "decimal(38,9)", "timestamp", "json"]
);

fn read(text: &str) -> Result<ColumnType, String> {
    parse(text).map(ColumnType)
}
