//! A filter meets a table: which column each test asks, and how it is decided.

use std::collections::HashMap;
use std::sync::Arc;

use mysql_async::Conn;
use tributary_model::{Error, ErrorKind, Result};

use super::answers::Asked;
use super::judge::{Rule, Truth};
use super::literal::{Literal, Moments, moment};
use super::{Check, Condition, Filter, Test, refused};
use crate::column::Kind;
use crate::decode::Probe;
use crate::decode::charset::Charset;
use crate::decode::reader::Reader;
use crate::info::{ColumnInfo, TableInfo};
use crate::layout::{Layout, declared_kind};
use crate::log::rows::RowsEvent;
use crate::server::Flavor;

/// A filter for the rows of one layout.
#[derive(Debug)]
pub(crate) struct Bound {
    condition: Tree,
    tests: Vec<Decided>,
    slots: Vec<Slot>,
    layout: Arc<Layout>,
}

/// A condition whose tests are known by number.
#[derive(Debug)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Test(usize),
}

/// A test, the column it asks, and how it is decided.
#[derive(Debug)]
struct Decided {
    slot: usize,
    rule: Rule,
}

/// A column of the row image that is looked at.
#[derive(Debug)]
struct Slot {
    place: usize,
    probe: Option<Probe>,
}

impl Filter {
    /// Whether it can be asked of a table as it is declared now.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the test that can't.
    pub(crate) fn suits(&self, info: &TableInfo) -> Result<()> {
        for test in self.condition.tests() {
            let column = column_of(test, info)?;
            let kind = declared_kind(column)?;
            if rule(test, &kind, Some(column))?.looks() && is_packed(column) {
                return Err(packed(test));
            }
        }
        Ok(())
    }
}

impl Bound {
    /// A filter for rows of the log.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] where the rows lack a column of it, or hold it in a type that it
    /// can't be asked of.
    pub(crate) fn new(
        filter: &Filter,
        layout: &Arc<Layout>,
        info: &TableInfo,
        flavor: Flavor,
    ) -> Result<Self> {
        let mut bound = Self {
            condition: Tree::All(Vec::new()),
            tests: Vec::new(),
            slots: Vec::new(),
            layout: layout.clone(),
        };
        bound.condition = bound.tree(&filter.condition, info, flavor).map_err(late)?;
        Ok(bound)
    }

    fn tree(&mut self, condition: &Condition, info: &TableInfo, flavor: Flavor) -> Result<Tree> {
        let mut each = |parts: &[Condition]| {
            let trees = parts.iter().map(|part| self.tree(part, info, flavor));
            trees.collect::<Result<Vec<_>>>()
        };
        Ok(match condition {
            Condition::All(parts) => Tree::All(each(parts)?),
            Condition::Any(parts) => Tree::Any(each(parts)?),
            Condition::Not(inner) => Tree::Not(Box::new(self.tree(inner, info, flavor)?)),
            Condition::Test(test) => Tree::Test(self.test(test, info, flavor)?),
        })
    }

    fn test(&mut self, test: &Test, info: &TableInfo, flavor: Flavor) -> Result<usize> {
        let layout = self.layout.clone();
        let mut image = layout.image.iter();
        let place = image.position(|column| column.name.eq_ignore_ascii_case(&test.column));
        let place = place.ok_or_else(|| no_column(test, &info.database, &info.name))?;
        let column = &layout.image[place];
        let kind = column
            .kind
            .as_ref()
            .ok_or_else(|| unfit(test, "is of an unknown type"))?;
        let declared = info.columns.iter().find(|known| known.name == column.name);
        let rule = rule(test, kind, declared)?;
        if column.compressed && rule.looks() {
            return Err(packed(test));
        }
        let probe = || Probe::new(kind, column.format, flavor);
        let slot = self.slot(place, rule.looks().then(probe));
        self.tests.push(Decided { slot, rule });
        Ok(self.tests.len() - 1)
    }

    fn slot(&mut self, place: usize, probe: Option<Probe>) -> usize {
        let found = self.slots.iter().position(|slot| slot.place == place);
        let index = found.unwrap_or_else(|| {
            self.slots.push(Slot { place, probe: None });
            self.slots.len() - 1
        });
        if probe.is_some() {
            self.slots[index].probe = probe;
        }
        index
    }

    /// Asks the server about texts that have not been seen before.
    ///
    /// # Errors
    /// Fails where the rows are malformed, or the server can't be asked.
    pub(crate) async fn learn(&mut self, event: &RowsEvent<'_>, conn: &mut Conn) -> Result<()> {
        let mut unknown: Vec<(usize, Box<[u8]>)> = Vec::new();
        for test in &mut self.tests {
            if let Rule::Text(asked) = &mut test.rule {
                asked.forget_many();
            }
        }
        if !self
            .tests
            .iter()
            .any(|test| matches!(test.rule, Rule::Text(_)))
        {
            return Ok(());
        }
        let mut images = event.images();
        while !images.is_empty() {
            let raws = values(&self.layout, &self.slots, &mut images)?;
            for (index, test) in self.tests.iter().enumerate() {
                let (Rule::Text(asked), Some(raw)) = (&test.rule, raws[test.slot]) else {
                    continue;
                };
                let value = asked.value(&mut self.slots[test.slot].probe, raw)?;
                if !asked.knows(&value) {
                    unknown.push((index, value.into()));
                }
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        let mut by_test: HashMap<usize, Vec<Box<[u8]>>> = HashMap::new();
        for (index, value) in unknown {
            by_test.entry(index).or_default().push(value);
        }
        for (index, values) in by_test {
            if let Rule::Text(asked) = &mut self.tests[index].rule {
                asked.ask(values, conn).await?;
            }
        }
        Ok(())
    }

    /// Whether the row that `image` begins with is wanted; [`Self::learn`] has seen its event.
    ///
    /// # Errors
    /// Fails where the image is malformed.
    pub(crate) fn wants(&mut self, mut image: Reader<'_>) -> Result<bool> {
        let raws = values(&self.layout, &self.slots, &mut image)?;
        let mut truths = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let probe = &mut self.slots[test.slot].probe;
            truths.push(test.rule.decide(probe, raws[test.slot])?);
        }
        Ok(self.condition.truth(&truths) == Truth::True)
    }
}

impl Tree {
    fn truth(&self, tests: &[Truth]) -> Truth {
        match self {
            Self::All(parts) => parts
                .iter()
                .map(|part| part.truth(tests))
                .fold(Truth::True, Truth::and),
            Self::Any(parts) => parts
                .iter()
                .map(|part| part.truth(tests))
                .fold(Truth::False, Truth::or),
            Self::Not(inner) => inner.truth(tests).not(),
            Self::Test(index) => tests[*index],
        }
    }
}

/// The values of the slots in one image, and the image behind it.
fn values<'a>(
    layout: &Layout,
    slots: &[Slot],
    image: &mut Reader<'a>,
) -> Result<Vec<Option<&'a [u8]>>> {
    let columns = &layout.image;
    let nulls = image.take(columns.len().div_ceil(8))?;
    let mut values = vec![None; slots.len()];
    for (place, column) in columns.iter().enumerate() {
        if nulls[place / 8] >> (place % 8) & 1 == 1 {
            continue;
        }
        let raw = column.wire.take(image)?;
        if let Some(slot) = slots.iter().position(|slot| slot.place == place) {
            values[slot] = Some(raw);
        }
    }
    Ok(values)
}

/// How a test of a column of this kind is decided.
fn rule(test: &Test, kind: &Kind, declared: Option<&ColumnInfo>) -> Result<Rule> {
    match (&test.check, family(kind)) {
        (Check::IsNull, _) => Ok(Rule::IsNull),
        (Check::IsTrue, Family::Exact | Family::Double | Family::Year) => Ok(Rule::IsTrue),
        (Check::IsTrue, _) => Err(unfit(
            test,
            "is no number, and stands there without a comparison",
        )),
        (Check::Compare(comparison, literal), Family::Exact) => match literal {
            Literal::Number(number) => Ok(Rule::exact(*comparison, number.clone())),
            Literal::Double(number) => Ok(Rule::Double(*comparison, *number)),
            Literal::Text(_) | Literal::Null => Err(quoted(test)),
        },
        (Check::Compare(comparison, literal), Family::Year) => match literal {
            Literal::Number(number) if is_year(number.integer()) => {
                Ok(Rule::exact(*comparison, number.clone()))
            }
            _ => Err(unfit(
                test,
                "is a YEAR, which is compared with years like 2024",
            )),
        },
        (Check::Compare(comparison, literal), Family::Double) => match literal {
            Literal::Number(number) => Ok(Rule::Double(*comparison, number.double())),
            Literal::Double(number) => Ok(Rule::Double(*comparison, *number)),
            Literal::Text(_) | Literal::Null => Err(quoted(test)),
        },
        (Check::Compare(comparison, Literal::Text(text)), Family::Moment(what)) => {
            Ok(Rule::Moment(*comparison, moment(text, what)?))
        }
        (Check::Compare(..), Family::Moment(_)) => Err(unfit(
            test,
            "is a date, which is compared with a date in quotes",
        )),
        (Check::Compare(_, Literal::Text(_)) | Check::Like { .. }, Family::Text(charset)) => {
            asked(test, charset, declared).map(Rule::Text)
        }
        (Check::Compare(..), Family::Text(_)) => Err(unfit(
            test,
            "is text, which is compared with a text in quotes",
        )),
        (Check::Like { .. }, _) => Err(unfit(test, "is no text, and LIKE is for text")),
        (Check::Compare(..), Family::Other) => Err(unfit(
            test,
            "is of a type that `where` can only ask whether it IS NULL",
        )),
    }
}

/// What kinds of column have in common here.
enum Family {
    Exact,
    Double,
    Year,
    Moment(Moments),
    /// Of this charset; of none where the labels are known.
    Text(Option<Charset>),
    Other,
}

fn family(kind: &Kind) -> Family {
    match kind {
        Kind::I8 | Kind::U8 | Kind::I16 | Kind::U16 | Kind::I24 | Kind::U24 | Kind::I32 => {
            Family::Exact
        }
        Kind::U32 | Kind::I64 | Kind::U64 | Kind::Decimal(_) | Kind::Bit(_) => Family::Exact,
        Kind::F32 | Kind::F64 => Family::Double,
        Kind::Year => Family::Year,
        Kind::Date => Family::Moment(Moments::Date),
        Kind::DateTime { .. } | Kind::Timestamp { .. } => Family::Moment(Moments::Time),
        Kind::Text(charset) => Family::Text(Some(*charset)),
        Kind::Enum(_) | Kind::Set(_) => Family::Text(None),
        Kind::Time { .. } | Kind::Bytes | Kind::FixedBytes(_) | Kind::Json | Kind::JsonText(_) => {
            Family::Other
        }
        Kind::Geometry | Kind::Uuid | Kind::Inet4 | Kind::Inet6 | Kind::Vector => Family::Other,
    }
}

/// A year of four digits; of two the server makes another.
fn is_year(number: Option<i128>) -> bool {
    number.is_some_and(|year| year == 0 || (1901..=2155).contains(&year))
}

fn asked(test: &Test, charset: Option<Charset>, declared: Option<&ColumnInfo>) -> Result<Asked> {
    let names = declared.and_then(|info| Some((info.charset.clone()?, info.collation.clone()?)));
    let (own, collation) = names.ok_or_else(|| unfit(test, "has no collation that is known"))?;
    // Bytes of the log are handed over as they are where they are still of that charset.
    let is_raw = charset.is_some() && charset == Charset::from_name(&own);
    Ok(Asked::new(own, collation, is_raw, test.check.clone()))
}

fn column_of<'i>(test: &Test, info: &'i TableInfo) -> Result<&'i ColumnInfo> {
    let mut columns = info.columns.iter();
    columns
        .find(|column| column.name.eq_ignore_ascii_case(&test.column))
        .ok_or_else(|| no_column(test, &info.database, &info.name))
}

fn no_column(test: &Test, database: &str, table: &str) -> Error {
    refused(
        format!(
            "`where` asks for the column `{}`, which {database}.{table} does not have",
            test.column
        ),
        "Correct the name.",
    )
}

fn unfit(test: &Test, why: &str) -> Error {
    refused(
        format!("`where` can't be asked: the column `{}` {why}", test.column),
        super::parse::LANGUAGE,
    )
}

/// MariaDB shows it behind the type: `varchar(10) /*M!100301 COMPRESSED*/`.
fn is_packed(column: &ColumnInfo) -> bool {
    let comment = column.column_type.split_once("/*");
    comment.is_some_and(|(_, comment)| comment.contains("COMPRESSED"))
}

fn packed(test: &Test) -> Error {
    unfit(
        test,
        "is COMPRESSED, and can only be asked whether it IS NULL",
    )
}

fn quoted(test: &Test) -> Error {
    unfit(
        test,
        "is a number, which is compared with a number without quotes",
    )
}

/// In the log it is not the user's text that is at fault, but what the rows are.
fn late(error: Error) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "rows of the log can't be judged by `where`: their table was another one then",
    )
    .because(error)
    .fix("Copy the table anew: `tributary sync CONNECTION:STREAM --full-refresh`.")
}
