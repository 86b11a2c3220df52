//! By what a table's files are divided into folders, and into which folder a row goes.
//!
//! A folder's name is `name=value`, as Hive began it. The columns themselves stay in the files too,
//! where their types are exact: a reader may use the folders to skip files and need not trust them.

mod term;
mod transform;

use std::collections::HashMap;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use chrono::{DateTime, Utc};
use tributary_model::{Error, ErrorKind, Result, TableColumn};

use crate::error::arrow;
use crate::iceberg::Division;
use crate::place::encode;
use term::LOAD_DATE;
pub(crate) use term::Term;
pub(crate) use transform::Transform;

/// What Hive writes for NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// The longest text that may name a folder, in bytes as it is written. // G6
const LONGEST: usize = 200;

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, StringArray, TimestampMicrosecondArray};
    use tributary_model::DataType;

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
