//! The table: TPC-H's lineitem, the same rows on every machine.
//!
//! Deliberately absent: TPC-H's exact distributions. Widths, types and the share of each kind of
//! text are its own.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{
    Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};

use crate::random::Random;
use crate::text;

/// Its name on both sides.
pub(super) const TABLE: &str = "bench.lineitem";

/// Its columns: name, type in MariaDB, type in DuckDB.
pub(super) const COLUMNS: [(&str, &str, &str); 16] = [
    ("l_orderkey", "BIGINT", "BIGINT"),
    ("l_partkey", "INT", "INTEGER"),
    ("l_suppkey", "INT", "INTEGER"),
    ("l_linenumber", "INT", "INTEGER"),
    ("l_quantity", "DECIMAL(15,2)", "DECIMAL(15,2)"),
    ("l_extendedprice", "DECIMAL(15,2)", "DECIMAL(15,2)"),
    ("l_discount", "DECIMAL(15,2)", "DECIMAL(15,2)"),
    ("l_tax", "DECIMAL(15,2)", "DECIMAL(15,2)"),
    ("l_returnflag", "CHAR(1)", "VARCHAR"),
    ("l_linestatus", "CHAR(1)", "VARCHAR"),
    ("l_shipdate", "DATE", "DATE"),
    ("l_commitdate", "DATE", "DATE"),
    ("l_receiptdate", "DATE", "DATE"),
    ("l_shipinstruct", "CHAR(25)", "VARCHAR"),
    ("l_shipmode", "CHAR(10)", "VARCHAR"),
    ("l_comment", "VARCHAR(44)", "VARCHAR"),
];

const SEED: u64 = 19_920_101;
/// 1992-01-01, in days since 1970.
const FIRST_DAY: i32 = 8_035;
const DAYS: u64 = 2_400;
const INSTRUCTIONS: [&str; 4] = [
    "DELIVER IN PERSON",
    "COLLECT COD",
    "NONE",
    "TAKE BACK RETURN",
];
const MODES: [&str; 7] = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"];
const WORDS: [&str; 16] = [
    "furiously",
    "quickly",
    "final",
    "deposits",
    "requests",
    "above",
    "the",
    "ironic",
    "carefully",
    "accounts",
    "pending",
    "sleep",
    "after",
    "blithely",
    "bold",
    "foxes",
];

/// One row. Decimals are in hundredths, dates in days since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) orderkey: i64,
    partkey: i32,
    suppkey: i32,
    linenumber: i32,
    decimals: [i64; 4],
    returnflag: &'static str,
    linestatus: &'static str,
    days: [i32; 3],
    shipinstruct: &'static str,
    shipmode: &'static str,
    comment: String,
}

/// The rows in the order of their key, without end.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    random: Random,
    order: u64,
    line: i32,
    lines: i32,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            random: Random::new(SEED),
            order: 0,
            line: 0,
            lines: 0,
        }
    }

    fn int(&mut self, from: i32, to: i32) -> i32 {
        let span = u64::from((to - from).unsigned_abs()) + 1;
        from + i32::try_from(self.random.below(span)).expect("a small number fits")
    }

    fn comment(&mut self) -> String {
        let length = 10 + usize::try_from(self.random.below(34)).expect("a small number fits");
        let mut text = String::with_capacity(length + 12);
        while text.len() < length {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.random.pick(&WORDS));
        }
        text.truncate(length);
        text.truncate(text.trim_end().len());
        text
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.line == self.lines {
            self.order += 1;
            self.line = 0;
            self.lines = self.int(1, 7);
        }
        self.line += 1;
        let quantity = i64::from(self.int(1, 50));
        let shipped = FIRST_DAY + i32::try_from(self.random.below(DAYS)).expect("a day fits");
        let days = [
            shipped,
            shipped + self.int(-30, 60),
            shipped + self.int(1, 30),
        ];
        Some(Row {
            orderkey: key_of(self.order),
            partkey: self.int(1, 200_000),
            suppkey: self.int(1, 10_000),
            linenumber: self.line,
            decimals: [
                quantity * 100,
                quantity * i64::from(self.int(90_000, 200_000)),
                i64::from(self.int(0, 10)),
                i64::from(self.int(0, 8)),
            ],
            returnflag: self.random.pick(&["A", "N", "R"]),
            linestatus: self.random.pick(&["O", "F"]),
            days,
            shipinstruct: self.random.pick(&INSTRUCTIONS),
            shipmode: self.random.pick(&MODES),
            comment: self.comment(),
        })
    }
}

/// TPC-H uses the first eight of every 32 keys.
fn key_of(order: u64) -> i64 {
    let order = order - 1;
    i64::try_from(order / 8 * 32 + order % 8 + 1).expect("a key fits")
}

/// Writes `rows` as MariaDB's LOAD DATA reads them.
pub(super) fn write_tsv(rows: impl Iterator<Item = Row>, out: &mut impl Write) -> io::Result<()> {
    for row in rows {
        let Row {
            orderkey,
            partkey,
            suppkey,
            linenumber,
            ..
        } = row;
        write!(out, "{orderkey}\t{partkey}\t{suppkey}\t{linenumber}")?;
        for hundredths in row.decimals {
            write!(out, "\t{}.{:02}", hundredths / 100, hundredths % 100)?;
        }
        write!(out, "\t{}\t{}", row.returnflag, row.linestatus)?;
        for days in row.days {
            write!(out, "\t{}", text::date(days))?;
        }
        writeln!(
            out,
            "\t{}\t{}\t{}",
            row.shipinstruct, row.shipmode, row.comment
        )?;
    }
    Ok(())
}

/// Up to `size` rows in columns; `None` where there are no more.
pub(super) fn batch(rows: &mut impl Iterator<Item = Row>, size: usize) -> Option<RecordBatch> {
    let mut builder = Builder::default();
    rows.take(size).for_each(|row| builder.push(&row));
    let batch = builder.finish();
    (batch.num_rows() > 0).then_some(batch)
}

#[derive(Debug, Default)]
struct Builder {
    orderkey: Int64Builder,
    ints: [Int32Builder; 3],
    decimals: [Decimal128Builder; 4],
    days: [Date32Builder; 3],
    texts: [StringBuilder; 5],
}

impl Builder {
    fn push(&mut self, row: &Row) {
        self.orderkey.append_value(row.orderkey);
        let ints = [row.partkey, row.suppkey, row.linenumber];
        for (builder, value) in self.ints.iter_mut().zip(ints) {
            builder.append_value(value);
        }
        for (builder, value) in self.decimals.iter_mut().zip(row.decimals) {
            builder.append_value(value.into());
        }
        for (builder, value) in self.days.iter_mut().zip(row.days) {
            builder.append_value(value);
        }
        let Row {
            returnflag,
            linestatus,
            shipinstruct,
            shipmode,
            comment,
            ..
        } = row;
        let texts = [
            returnflag,
            linestatus,
            shipinstruct,
            shipmode,
            comment.as_str(),
        ];
        for (builder, value) in self.texts.iter_mut().zip(texts) {
            builder.append_value(value);
        }
    }

    fn finish(mut self) -> RecordBatch {
        let [partkey, suppkey, linenumber] = self.ints.each_mut().map(|b| array(b.finish()));
        let [quantity, price, discount, tax] = self.decimals.each_mut().map(|builder| {
            array(
                builder
                    .finish()
                    .with_precision_and_scale(15, 2)
                    .expect("it is DECIMAL(15,2)"),
            )
        });
        let [shipped, committed, received] = self.days.each_mut().map(|b| array(b.finish()));
        let [flag, status, instruct, mode, comment] =
            self.texts.each_mut().map(|b| array(b.finish()));
        let arrays = vec![
            array(self.orderkey.finish()),
            partkey,
            suppkey,
            linenumber,
            quantity,
            price,
            discount,
            tax,
            flag,
            status,
            shipped,
            committed,
            received,
            instruct,
            mode,
            comment,
        ];
        let fields = COLUMNS.iter().zip(&arrays);
        let fields = fields.map(|((name, ..), a)| Field::new(*name, a.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), arrays).expect("columns are equally long")
    }
}

fn array(array: impl arrow_array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_the_same_every_time_and_have_keys_of_their_own() {
        let rows: Vec<Row> = Rows::new().take(5_000).collect();
        assert!(rows.iter().cloned().eq(Rows::new().take(5_000)));
        let keys: BTreeSet<_> = rows
            .iter()
            .map(|row| (row.orderkey, row.linenumber))
            .collect();
        assert_eq!(keys.len(), rows.len());
        assert!(
            keys.iter()
                .copied()
                .eq(rows.iter().map(|r| (r.orderkey, r.linenumber)))
        );
        assert!(rows.iter().all(|row| (5..=44).contains(&row.comment.len())));
    }

    #[test]
    fn text_and_columns_hold_the_same_rows() {
        let mut tsv = Vec::new();
        write_tsv(Rows::new().take(1_000), &mut tsv).expect("memory can be written");
        let tsv = String::from_utf8(tsv).expect("it is text");
        let mut rows = Rows::new().take(1_000);
        let first = batch(&mut rows, 600).expect("rows");
        let second = batch(&mut rows, 600).expect("rows");
        assert_eq!((first.num_rows(), second.num_rows()), (600, 400));
        assert!(batch(&mut rows, 600).is_none());
        let line: Vec<&str> = tsv.lines().nth(599).expect("a line").split('\t').collect();
        assert_eq!(line.len(), COLUMNS.len());
        for ((cell, array), (name, ..)) in line.iter().zip(first.columns()).zip(COLUMNS) {
            let formatter =
                arrow_cast::display::ArrayFormatter::try_new(array, &Default::default());
            let value = formatter.expect("a format").value(599).to_string();
            assert_eq!(*cell, value, "{name}");
        }
    }
}
