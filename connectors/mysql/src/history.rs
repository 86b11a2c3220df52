//! What a table's columns are at a place of the log whose table maps do not name them.
//!
//! With `binlog_row_metadata=FULL` a table map says it all and nothing of this is kept. Without, it
//! has types and sizes only: names, signs, charsets and labels come from here. The history begins
//! with what `information_schema` said at a moment that the log has reached ([`Declared::of`]),
//! each ALTER TABLE in the log moves it on ([`Declared::altered`]), and the table's cursor keeps it
//! beside the log's, so that a log from before is read with the columns of then.
//!
//! Invariant: what is kept is certain. A statement that is not understood ends the history, and the
//! table is copied anew; a row is decoded only where number, type and size of all columns agree.

use serde::{Deserialize, Serialize};

use crate::ddl::{Definition, Edit, IfMissing, IfThere, Place};
use crate::info::{ColumnInfo, TableInfo};
use crate::position::LogPosition;

/// A table's columns from a place of the log on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// From where on.
    pub(crate) since: LogPosition,
    /// In the table's order.
    columns: Vec<DeclaredColumn>,
    /// The columns of the key.
    key: Vec<String>,
    /// The charset of columns that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charset: Option<String>,
}

/// One column: as much as a row image needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredColumn {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
    #[serde(default, skip_serializing_if = "is_false")]
    nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charset: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Declared {
    /// A table as `information_schema` has it, from `since` on.
    pub(crate) fn of(info: &TableInfo, since: LogPosition) -> Self {
        let columns = info.columns.iter().map(|column| DeclaredColumn {
            name: column.name.clone(),
            column_type: column.column_type.clone(),
            nullable: column.nullable,
            charset: column.charset.clone(),
        });
        Self {
            since,
            columns: columns.collect(),
            key: info.key.clone(),
            charset: info.charset.clone(),
        }
    }

    /// The table, as if `information_schema` were asked at that place.
    pub(crate) fn info(&self, of: &TableInfo) -> TableInfo {
        TableInfo {
            columns: self.columns.iter().map(DeclaredColumn::info).collect(),
            key: self.key.clone(),
            key_index: None,
            charset: self.charset.clone(),
            ..of.clone()
        }
    }

    /// The table behind a statement; `None` where that is not certain.
    ///
    /// As the server does it: columns that stay keep their order, then those that come or move take
    /// their places, one after the other.
    pub(crate) fn altered(&self, edits: &[Edit], since: LogPosition) -> Option<Self> {
        let mut charset = self.charset.clone();
        for edit in edits {
            if let Edit::Charset(name) | Edit::Convert(name) = edit {
                charset = Some(name.clone());
            }
        }
        let mut columns = self.kept(edits, charset.as_deref())?;
        for edit in edits {
            match edit {
                Edit::Add {
                    column,
                    place,
                    if_missing,
                } => {
                    let there = find(&columns, &column.name).is_some();
                    match (there, if_missing) {
                        (true, IfMissing::Only) => continue,
                        (true, IfMissing::Always) => return None,
                        (false, _) => {}
                    }
                    let column = DeclaredColumn::new(column, charset.as_deref())?;
                    put(&mut columns, column, place)?;
                }
                Edit::Define {
                    column,
                    place: Some(place),
                    ..
                } => {
                    let column = DeclaredColumn::new(column, charset.as_deref())?;
                    put(&mut columns, column, place)?;
                }
                Edit::Define { place: None, .. }
                | Edit::Drop { .. }
                | Edit::Rename { .. }
                | Edit::Charset(_)
                | Edit::Convert(_) => {}
            }
        }
        Some(Self {
            since,
            key: self.renamed_key(edits, &columns)?,
            columns,
            charset,
        })
    }

    /// The columns that stay where they are, as they are afterwards.
    fn kept(&self, edits: &[Edit], charset: Option<&str>) -> Option<Vec<DeclaredColumn>> {
        for edit in edits {
            let (name, may_miss) = match edit {
                Edit::Drop { name, if_there } => (name, *if_there == IfThere::Only),
                Edit::Rename { from, .. } => (from, false),
                Edit::Define { name, .. } => (name, false),
                Edit::Add { .. } | Edit::Charset(_) | Edit::Convert(_) => continue,
            };
            if !may_miss {
                find(&self.columns, name)?;
            }
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            match edits.iter().find(|edit| concerns(edit, &column.name)) {
                None => columns.push(column.clone()),
                Some(Edit::Rename { to, .. }) => columns.push(DeclaredColumn {
                    name: to.clone(),
                    ..column.clone()
                }),
                Some(Edit::Define {
                    column: new,
                    place: None,
                    ..
                }) => columns.push(DeclaredColumn::new(new, charset)?),
                // It goes, or to another place.
                Some(_) => {}
            }
        }
        for edit in edits {
            if let Edit::Convert(to) = edit {
                columns
                    .iter_mut()
                    .try_for_each(|column| column.convert(to))?;
            }
        }
        Some(columns)
    }

    /// The key under the names of its columns afterwards; one of them that goes changes the key.
    fn renamed_key(&self, edits: &[Edit], columns: &[DeclaredColumn]) -> Option<Vec<String>> {
        let renamed = |name: &String| {
            edits
                .iter()
                .find_map(|edit| match edit {
                    Edit::Rename { from, to } if same(from, name) => Some(to),
                    Edit::Define {
                        name: from, column, ..
                    } if same(from, name) => Some(&column.name),
                    _ => None,
                })
                .unwrap_or(name)
                .clone()
        };
        let key: Vec<String> = self.key.iter().map(renamed).collect();
        let is_there = |name: &String| find(columns, name).is_some();
        key.iter().all(is_there).then_some(key)
    }
}

impl DeclaredColumn {
    /// `None` where its charset is not certain; a text in `binary` gets another type.
    fn new(definition: &Definition, charset: Option<&str>) -> Option<Self> {
        let is_text = [
            "char",
            "varchar",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
            "enum",
            "set",
        ]
        .contains(&data_type(&definition.column_type).as_str());
        let own = definition.charset.as_deref().or(charset);
        if is_text && own.is_none_or(|own| own == "binary") {
            return None;
        }
        Some(Self {
            name: definition.name.clone(),
            column_type: definition.column_type.clone(),
            nullable: definition.nullable,
            charset: own.filter(|_| is_text).map(ToOwned::to_owned),
        })
    }

    /// `CONVERT TO CHARACTER SET`: a text may get another size for its longer characters.
    fn convert(&mut self, to: &str) -> Option<()> {
        let Some(charset) = &mut self.charset else {
            return Some(());
        };
        let data_type = data_type(&self.column_type);
        if *charset != to && ["tinytext", "text", "mediumtext"].contains(&data_type.as_str()) {
            return None;
        }
        to.clone_into(charset);
        Some(())
    }

    fn info(&self) -> ColumnInfo {
        let data_type = data_type(&self.column_type);
        let numbers = numbers(&self.column_type);
        let at = |index: usize| numbers.get(index).copied();
        let is_decimal = data_type == "decimal";
        let has_fraction = ["time", "datetime", "timestamp"].contains(&data_type.as_str());
        ColumnInfo {
            name: self.name.clone(),
            column_type: self.column_type.clone(),
            nullable: self.nullable,
            default: None,
            extra: String::new(),
            charset: self.charset.clone(),
            collation: None,
            precision: at(0).filter(|_| is_decimal),
            scale: at(1).filter(|_| is_decimal),
            fraction: has_fraction.then(|| at(0).unwrap_or(0)),
            data_type,
        }
    }
}

/// `decimal` of `decimal(10,2) unsigned`.
fn data_type(column_type: &str) -> String {
    let end = column_type.find(['(', ' ']).unwrap_or(column_type.len());
    column_type[..end].to_lowercase()
}

/// 10 and 2 of `decimal(10,2)`.
fn numbers(column_type: &str) -> Vec<u32> {
    let inner = column_type
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let parts = inner.map_or("", |(inner, _)| inner).split(',');
    parts.filter_map(|part| part.trim().parse().ok()).collect()
}

/// Names of columns are compared without regard to case.
fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

fn find(columns: &[DeclaredColumn], name: &str) -> Option<usize> {
    columns.iter().position(|column| same(&column.name, name))
}

fn concerns(edit: &Edit, name: &str) -> bool {
    match edit {
        Edit::Drop { name: of, .. } | Edit::Define { name: of, .. } => same(of, name),
        Edit::Rename { from, .. } => same(from, name),
        Edit::Add { .. } | Edit::Charset(_) | Edit::Convert(_) => false,
    }
}

fn put(columns: &mut Vec<DeclaredColumn>, column: DeclaredColumn, place: &Place) -> Option<()> {
    let index = match place {
        Place::First => 0,
        Place::Last => columns.len(),
        Place::After(name) => find(columns, name)? + 1,
    };
    columns.insert(index, column);
    Some(())
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
