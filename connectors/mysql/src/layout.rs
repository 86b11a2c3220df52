//! The columns of one table at one moment: names, kinds, key, and how a row image is cut up.
//!
//! A snapshot takes its layout from `information_schema` ([`Layout::from_info`]), the log from the
//! table map before its rows ([`Layout::from_table_map`]). Both give the same names, types and key
//! for the same table, or the destination would see two tables; that the two roads agree is tested.

mod declared;
mod from_map;

use std::sync::Arc;

use tributary_model::{Column, Error, ErrorKind, Result, StreamSchema};

use crate::column::{Format, Kind, ValueOptions, Wire, ZeroDates};
use crate::decode::reader::Reader;
use crate::info::{ColumnInfo, TableInfo};
use crate::log::table_map::TableMap;

/// One column that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayoutColumn {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether the source allows NULL.
    pub(crate) nullable: bool,
    /// What rows hold that are older than the column, as text; `None` is NULL, or unknown.
    pub(crate) default: Option<String>,
}

/// The kind of a column as it is declared.
///
/// # Errors
/// Fails on a type or charset that is not known.
pub(crate) fn declared_kind(column: &ColumnInfo) -> Result<Kind> {
    declared::kind(column)
}

/// One column of a row image, read or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageColumn {
    pub(crate) name: String,
    /// What it holds, where that is known; also of a column that is not read.
    pub(crate) kind: Option<Kind>,
    /// Whether MariaDB has compressed its values.
    pub(crate) compressed: bool,
    pub(crate) wire: Wire,
    pub(crate) format: Format,
    /// Whether it is one of the layout's columns, the next one in order.
    pub(crate) kept: bool,
    pub(crate) in_key: bool,
}

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Those that are read, in the table's order: also the order of the snapshot's SELECT list.
    pub(crate) columns: Vec<LayoutColumn>,
    /// Places of the key's columns in `columns`, in key order.
    pub(crate) key: Vec<usize>,
    /// All columns of a row image; empty for a snapshot.
    pub(crate) image: Vec<ImageColumn>,
    /// The same for the rest of the world.
    pub(crate) schema: Arc<StreamSchema>,
}

impl Layout {
    /// The layout of a snapshot's rows.
    ///
    /// # Errors
    /// Fails where a column is of an unknown type, or one of the key is excluded.
    pub(crate) fn from_info(
        info: &TableInfo,
        excluded: &[String],
        options: ValueOptions,
    ) -> Result<Self> {
        let mut columns = Vec::new();
        for column in &info.columns {
            if excluded.contains(&column.name) {
                continue;
            }
            let kind = declared::kind(column)
                .map_err(|error| error.context(of(&info.database, &info.name, &column.name)))?;
            columns.push(LayoutColumn {
                name: column.name.clone(),
                nullable: column.nullable,
                default: declared::default(column, &kind, options),
                kind,
            });
        }
        let table = format!("{}.{}", info.database, info.name);
        Self::new(&table, columns, &info.key, Vec::new(), options)
    }

    /// The layout of the rows behind a table map. What the map says goes; `info`, which may be newer
    /// or older, adds by name what no map has.
    ///
    /// # Errors
    /// `Incompatible` where the map does not say enough and `info` does not fit it.
    pub(crate) fn from_table_map(
        map: &TableMap,
        info: Option<&TableInfo>,
        excluded: &[String],
        options: ValueOptions,
    ) -> Result<Self> {
        from_map::layout(map, info, excluded, options)
    }

    /// The snapshot's SELECT list.
    #[must_use]
    pub(crate) fn select_list(&self) -> String {
        let expressions = self.columns.iter().map(LayoutColumn::select);
        expressions.collect::<Vec<_>>().join(", ")
    }

    fn new(
        table: &str,
        columns: Vec<LayoutColumn>,
        key: &[String],
        mut image: Vec<ImageColumn>,
        options: ValueOptions,
    ) -> Result<Self> {
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let places: Option<Vec<usize>> = key.iter().map(place).collect();
        let places = places.ok_or_else(|| excluded_key(table, key))?;
        let kept = image.iter_mut().filter(|column| column.kept);
        for (index, column) in kept.enumerate() {
            column.in_key = places.contains(&index);
        }
        let schema = StreamSchema {
            columns: columns
                .iter()
                .enumerate()
                .map(|(index, column)| column.describe(places.contains(&index), options))
                .collect(),
            key: key.to_vec(),
        };
        Ok(Self {
            columns,
            key: places,
            image,
            schema: Arc::new(schema),
        })
    }
}

impl LayoutColumn {
    /// How a snapshot selects it.
    #[must_use]
    pub(crate) fn select(&self) -> String {
        let name = format!("`{}`", self.name.replace('`', "``"));
        if self.kind.fetched_raw() {
            format!("CAST({name} AS BINARY)")
        } else {
            name
        }
    }

    fn describe(&self, in_key: bool, options: ValueOptions) -> Column {
        let zero_is_null = self.kind.is_date()
            && !in_key
            && matches!(options.zero_dates, ZeroDates::Null | ZeroDates::Reject);
        Column {
            name: self.name.clone(),
            data_type: self.kind.data_type(&options),
            nullable: self.nullable || zero_is_null,
            default: self.default.clone(),
        }
    }
}

impl Wire {
    /// The value that `image` goes on with.
    ///
    /// # Errors
    /// Fails where it is cut short.
    #[inline]
    pub(crate) fn take<'a>(self, image: &mut Reader<'a>) -> Result<&'a [u8]> {
        match self {
            Self::Fixed(width) => image.take(width),
            Self::Prefixed(1) => {
                let length = image.byte()?;
                image.take(length.into())
            }
            Self::Prefixed(width) => {
                let length = image.little(width.into())?;
                image.take(usize::try_from(length).unwrap_or(usize::MAX))
            }
        }
    }
}

fn of(database: &str, table: &str, column: &str) -> String {
    format!("column `{column}` of {database}.{table}")
}

#[cold]
fn excluded_key(table: &str, key: &[String]) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("{table} needs all columns of its key ({})", key.join(", ")),
    )
    .fix("Don't exclude them; `hash: true` hides their values.")
}

#[cfg(test)]
mod tests;
