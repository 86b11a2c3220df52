//! What becomes of a value on its way to a folder's name.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use tributary_model::{DataType, Error, ErrorKind, Result};

use super::term::Term;
use crate::error::arrow;
use crate::place::encode;

/// What becomes of a value on its way to the folder's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transform {
    Identity,
    Year,
    Month,
    Day,
    Hour,
    /// The first so many characters.
    Truncate(u32),
    /// One of so many by a hash.
    Bucket(u32),
}

impl Transform {
    /// Fails where nothing can be made of such a column.
    pub(super) fn check(self, term: &Term, data_type: DataType) -> Result<()> {
        let fits = match self {
            Self::Year | Self::Month | Self::Day => matches!(
                data_type,
                DataType::Date | DataType::Timestamp | DataType::TimestampTz
            ),
            Self::Hour => matches!(data_type, DataType::Timestamp | DataType::TimestampTz),
            Self::Truncate(_) => matches!(data_type, DataType::Text | DataType::Json),
            Self::Identity | Self::Bucket(_) => {
                !matches!(data_type, DataType::Float32 | DataType::Float64)
            }
        };
        if fits {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("a table can't be divided by `{term}`: the column is of type {data_type}"),
        )
        .fix("Divide it by something else, under `tables` of the destination."))
    }

    /// The name of its folders.
    pub(super) fn label(self, column: &str) -> String {
        let column = encode(column);
        match self {
            Self::Identity => column,
            Self::Year => format!("{column}_year"),
            Self::Month => format!("{column}_month"),
            Self::Day => format!("{column}_day"),
            Self::Hour => format!("{column}_hour"),
            Self::Truncate(_) => format!("{column}_trunc"),
            Self::Bucket(_) => format!("{column}_bucket"),
        }
    }

    /// The value of each row.
    pub(super) fn values(self, array: &ArrayRef) -> Result<Vec<Option<String>>> {
        let texts = texts(array)?;
        let each = |text: Option<String>| -> Option<String> {
            let text = text?;
            Some(match self {
                Self::Identity => text,
                // Texts of moments begin with their date: 2026-11-20T13:…, negative years too.
                Self::Year => moment(&text, 1, ""),
                Self::Month => moment(&text, 2, ""),
                Self::Day => moment(&text, 3, ""),
                Self::Hour => moment(&text, 3, &hour(&text)),
                Self::Truncate(width) => text.chars().take(width as usize).collect(),
                Self::Bucket(count) => bucket(&text, count).to_string(),
            })
        };
        Ok(texts.into_iter().map(each).collect())
    }
}

/// The first `parts` of a date, and more.
fn moment(text: &str, parts: usize, more: &str) -> String {
    let date = text.split('T').next().unwrap_or(text);
    let (sign, digits) = match date.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", date),
    };
    let parts: Vec<&str> = digits.split('-').take(parts).collect();
    format!("{sign}{}{more}", parts.join("-"))
}

fn hour(text: &str) -> String {
    let time = text.split_once('T').map_or("", |(_, time)| time);
    format!("-{}", time.get(..2).unwrap_or("00"))
}

fn bucket(text: &str, count: u32) -> u32 {
    let hash = blake3::hash(text.as_bytes());
    let mut first = [0; 4];
    first.copy_from_slice(&hash.as_bytes()[..4]);
    u32::from_le_bytes(first) % count
}

fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    if let Some(strings) = array.as_string_opt::<i32>() {
        return Ok(strings
            .iter()
            .map(|text| text.map(ToOwned::to_owned))
            .collect());
    }
    let array = &in_utc(array);
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).map_err(arrow("naming folders"))?;
    let text = |row: usize| {
        array
            .is_valid(row)
            .then(|| formatter.value(row).to_string())
    };
    Ok((0..array.len()).map(text).collect())
}

/// Instants as the moments that they are in UTC: their zone is written nowhere.
fn in_utc(array: &ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(instants) => Arc::new(instants.clone().with_timezone_opt(None::<Arc<str>>)),
        None => array.clone(),
    }
}
