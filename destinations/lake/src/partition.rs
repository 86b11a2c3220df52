//! By what a table's files are divided into folders, and into which folder a row goes.
//!
//! A folder's name is `name=value`, as Hive began it. The columns themselves stay in the files too,
//! where their types are exact: a reader may use the folders to skip files and need not trust them.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_select::take::take_record_batch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tributary_model::{DataType, Error, ErrorKind, Result, TableColumn};

use crate::error::arrow;
use crate::iceberg::Division;
use crate::place::encode;

/// The name of the folders that say when rows were loaded.
const LOAD_DATE: &str = "tributary_date";
/// What Hive writes for NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// The longest text that may name a folder, in bytes as it is written. // G6
const LONGEST: usize = 200;

/// One division.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Term {
    /// By the day of the load.
    LoadDate,
    /// By a column, changed in some way.
    Column {
        /// Its name.
        name: String,
        /// The change.
        transform: Transform,
    },
}

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

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Column { name, transform } = self else {
            return f.write_str(LOAD_DATE);
        };
        match transform {
            Transform::Identity => f.write_str(name),
            Transform::Year => write!(f, "year({name})"),
            Transform::Month => write!(f, "month({name})"),
            Transform::Day => write!(f, "day({name})"),
            Transform::Hour => write!(f, "hour({name})"),
            Transform::Truncate(width) => write!(f, "truncate({width}, {name})"),
            Transform::Bucket(count) => write!(f, "bucket({count}, {name})"),
        }
    }
}

impl From<Term> for String {
    fn from(term: Term) -> Self {
        term.to_string()
    }
}

impl TryFrom<String> for Term {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Term {
    /// The name of its folders.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::LoadDate => LOAD_DATE.to_owned(),
            Self::Column { name, transform } => transform.label(name),
        }
    }

    /// Whether a table with these columns can be divided by it.
    pub(crate) fn fits(&self, columns: &[TableColumn]) -> bool {
        match self {
            Self::LoadDate => true,
            Self::Column { name, .. } => columns.iter().any(|column| column.name == *name),
        }
    }
}

impl FromStr for Term {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let column = |name: &str, transform| Self::Column {
            name: name.trim().to_owned(),
            transform,
        };
        if text == LOAD_DATE {
            return Ok(Self::LoadDate);
        }
        let Some((function, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('('))
        else {
            return match text {
                "" => Err(unmeant(text)),
                name => Ok(column(name, Transform::Identity)),
            };
        };
        let (count, name) = match inner.split_once(',') {
            Some((count, name)) => (count.trim().parse().ok().filter(|count| *count > 0), name),
            None => (None, inner),
        };
        let transform = match (function.trim(), count) {
            ("year", None) => Transform::Year,
            ("month", None) => Transform::Month,
            ("day", None) => Transform::Day,
            ("hour", None) => Transform::Hour,
            ("truncate", Some(width)) => Transform::Truncate(width),
            ("bucket", Some(count)) => Transform::Bucket(count),
            _ => return Err(unmeant(text)),
        };
        match name.trim() {
            "" => Err(unmeant(text)),
            name => Ok(column(name, transform)),
        }
    }
}

fn unmeant(text: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("tables can't be divided by `{text}`"),
    )
    .fix(
        "Write `tributary_date`, a column's name, or year, month, day or hour of a column, \
         truncate(n, column) or bucket(n, column).",
    )
}

/// The divisions of one table.
#[derive(Clone, Debug)]
pub(crate) struct Partitions {
    loaded: String,
    terms: Vec<Term>,
    /// For Iceberg, whose divisions are its own.
    division: Option<Division>,
}

impl Partitions {
    /// The divisions of a table with these columns; what it lacks it is not divided by.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where a column is of a type that a transform makes nothing of.
    pub(crate) fn new(
        terms: Vec<Term>,
        columns: &[TableColumn],
        started_at: DateTime<Utc>,
    ) -> Result<Self> {
        let mut kept = Vec::new();
        for term in terms {
            if let Term::Column { name, transform } = &term {
                let Some(column) = columns.iter().find(|column| column.name == *name) else {
                    continue;
                };
                transform.check(&term, column.data_type)?;
            }
            kept.push(term);
        }
        Ok(Self {
            loaded: started_at.format("%Y-%m-%d").to_string(),
            terms: kept,
            division: None,
        })
    }

    /// The divisions of a table of Iceberg.
    pub(crate) fn of_iceberg(division: Division) -> Self {
        Self {
            loaded: String::new(),
            terms: Vec::new(),
            division: Some(division),
        }
    }

    /// The parts of `rows`, each with its folder below the table's: empty or ending in a slash.
    pub(crate) fn split(&self, rows: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
        let constant = |term: &Term| *term == Term::LoadDate;
        let is_divided = self.division.as_ref().is_some_and(Division::divides);
        if self.terms.iter().all(constant) && !is_divided {
            let folders = self.terms.iter().map(|_| self.load_date());
            return Ok(vec![(folders.collect(), rows.clone())]);
        }
        let mut parts: Vec<(String, Vec<u32>)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (row, folder) in self.folders(rows)?.into_iter().enumerate() {
            let row = u32::try_from(row).map_err(|_| Error::bug("a batch has too many rows"))?;
            match known.get(&folder) {
                Some(&at) => parts[at].1.push(row),
                None => {
                    known.insert(folder.clone(), parts.len());
                    parts.push((folder, vec![row]));
                }
            }
        }
        if let [(folder, _)] = parts.as_slice() {
            return Ok(vec![(folder.clone(), rows.clone())]);
        }
        let take = |(folder, indices)| {
            let rows = take_record_batch(rows, &UInt32Array::from(indices));
            Ok((folder, rows.map_err(arrow("dividing rows"))?))
        };
        parts.into_iter().map(take).collect()
    }

    /// The folder of each row.
    fn folders(&self, rows: &RecordBatch) -> Result<Vec<String>> {
        let mut folders = vec![String::new(); rows.num_rows()];
        if let Some(division) = &self.division {
            for (label, values) in division.labels(rows)? {
                for (path, value) in folders.iter_mut().zip(values) {
                    let value = value.as_deref().map_or_else(|| NULL.to_owned(), encode);
                    // A name only: what the file's part is, is written down beside it.
                    let value = value.get(..LONGEST).map_or(value.clone(), |short| {
                        format!("{short}-{}", blake3::hash(value.as_bytes()).to_hex())
                    });
                    path.push_str(&format!("{}={value}/", encode(&label)));
                }
            }
        }
        for term in &self.terms {
            let Term::Column { name, transform } = term else {
                let folder = self.load_date();
                folders.iter_mut().for_each(|path| path.push_str(&folder));
                continue;
            };
            let array = rows.column_by_name(name).ok_or_else(|| {
                Error::bug(format!("rows have no column {name} to be divided by"))
            })?;
            let label = transform.label(name);
            for (path, value) in folders.iter_mut().zip(transform.values(array)?) {
                let value = value.as_deref().map_or_else(|| NULL.to_owned(), encode);
                if value.len() > LONGEST {
                    return Err(too_long(term));
                }
                path.push_str(&format!("{label}={value}/"));
            }
        }
        Ok(folders)
    }

    fn load_date(&self) -> String {
        format!("{LOAD_DATE}={}/", self.loaded)
    }
}

fn too_long(term: &Term) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("a value of `{term}` is too long to name a folder"),
    )
    .fix("Divide by `truncate(n, column)` or `bucket(n, column)` instead.")
}

impl Transform {
    /// Fails where nothing can be made of such a column.
    fn check(self, term: &Term, data_type: DataType) -> Result<()> {
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
    fn label(self, column: &str) -> String {
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
    fn values(self, array: &ArrayRef) -> Result<Vec<Option<String>>> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::{Date32Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn term(text: &str) -> Term {
        text.parse().unwrap()
    }

    #[test]
    fn a_term_survives_its_own_text() {
        for text in [
            "tributary_date",
            "country",
            "year(at)",
            "hour(at)",
            "truncate(2, name)",
            "bucket(16, id)",
        ] {
            assert_eq!(term(text).to_string(), text);
        }
        for wrong in [
            "",
            "week(at)",
            "bucket(id)",
            "bucket(0, id)",
            "day()",
            "truncate(x, y)",
        ] {
            assert!(wrong.parse::<Term>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_go_to_the_folder_of_their_values() {
        let at = TimestampMicrosecondArray::from(vec![0, 3_600_000_000, 90_000_000_000]);
        let at = at.with_timezone("UTC");
        let country: ArrayRef = Arc::new(StringArray::from(vec![Some("DE"), None, Some("a/b")]));
        let day: ArrayRef = Arc::new(Date32Array::from(vec![0, 0, 19_000]));
        let columns = [
            ("at", Arc::new(at) as ArrayRef),
            ("country", country),
            ("day", day),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let column = |name: &str, data_type| TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        let columns = [
            column("at", DataType::TimestampTz),
            column("country", DataType::Text),
            column("day", DataType::Date),
        ];
        let split = |terms: &[&str]| -> Vec<(String, usize)> {
            let terms = terms.iter().map(|text| term(text)).collect();
            let partitions = Partitions::new(terms, &columns, DateTime::UNIX_EPOCH).unwrap();
            let parts = partitions.split(&rows).unwrap().into_iter();
            parts
                .map(|(folder, rows)| (folder, rows.num_rows()))
                .collect()
        };
        let owned = |parts: &[(&str, usize)]| -> Vec<(String, usize)> {
            parts
                .iter()
                .map(|(folder, rows)| ((*folder).to_owned(), *rows))
                .collect()
        };
        assert_eq!(split(&[]), owned(&[("", 3)]));
        assert_eq!(
            split(&["tributary_date"]),
            owned(&[("tributary_date=1970-01-01/", 3)])
        );
        assert_eq!(split(&["absent"]), owned(&[("", 3)]));
        assert_eq!(
            split(&["country"]),
            owned(&[
                ("country=DE/", 1),
                ("country=__HIVE_DEFAULT_PARTITION__/", 1),
                ("country=a%2Fb/", 1)
            ])
        );
        assert_eq!(
            split(&["hour(at)"]),
            owned(&[
                ("at_hour=1970-01-01-00/", 1),
                ("at_hour=1970-01-01-01/", 1),
                ("at_hour=1970-01-02-01/", 1)
            ])
        );
        assert_eq!(
            split(&["year(day)", "tributary_date"]),
            owned(&[
                ("day_year=1970/tributary_date=1970-01-01/", 2),
                ("day_year=2022/tributary_date=1970-01-01/", 1)
            ])
        );
        let wrong = Partitions::new(vec![term("hour(day)")], &columns, DateTime::UNIX_EPOCH);
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Config);
    }
}
