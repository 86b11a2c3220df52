#![allow(clippy::unwrap_used)]
//! Both roads to a layout, and that they meet.

use tributary_model::DataType;

use super::*;
use crate::decode::charset::Charset;
use crate::info::ColumnInfo;
use crate::log::table_map::{KeyPart, MapColumn, code};
use crate::server::Flavor;

const OPTIONS: ValueOptions = ValueOptions {
    zero_dates: ZeroDates::Null,
    geometry: crate::column::Geometries::Wkb,
    flavor: Flavor::MariaDb,
};

/// `name`, its declared type, and its code and meta in a table map.
type Declared = (&'static str, &'static str, u8, u16);

const TABLE: [Declared; 12] = [
    ("id", "int(10) unsigned", code::LONG, 0),
    ("tiny", "tinyint(4)", code::TINY, 0),
    ("price", "decimal(15,2)", code::NEWDECIMAL, 0x020f),
    ("at", "datetime(3)", code::DATETIME2, 3),
    ("seen", "timestamp", code::TIMESTAMP2, 0),
    ("name", "varchar(10)", code::VARCHAR, 40),
    ("body", "mediumtext", code::BLOB, 3),
    ("raw", "binary(16)", code::STRING, 16),
    ("sort", "enum('a','b')", code::ENUM, 0x0100),
    ("bits", "bit(9)", code::BIT, 0x0101),
    ("who", "uuid", code::STRING, 16),
    ("place", "point", code::GEOMETRY, 4),
];

fn info(columns: &[Declared], key: &[&str]) -> TableInfo {
    let column = |&(name, declared, _, _): &Declared| {
        let end = declared.find(['(', ' ']).unwrap_or(declared.len());
        let data_type = &declared[..end];
        ColumnInfo {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            column_type: declared.to_owned(),
            nullable: true,
            charset: matches!(data_type, "varchar" | "mediumtext" | "enum")
                .then(|| "utf8mb4".to_owned()),
            precision: Some(15),
            scale: Some(2),
            fraction: (data_type == "datetime").then_some(3),
            ..ColumnInfo::default()
        }
    };
    TableInfo {
        database: "d".to_owned(),
        name: "t".to_owned(),
        columns: columns.iter().map(column).collect(),
        key: key.iter().map(|&name| name.to_owned()).collect(),
        key_index: (!key.is_empty()).then(|| "PRIMARY".to_owned()),
        ..TableInfo::default()
    }
}

fn map(columns: &[Declared], full: bool, key: &[usize]) -> TableMap {
    let column = |&(name, declared, code, meta): &Declared| MapColumn {
        code,
        meta,
        nullable: true,
        unsigned: full.then(|| declared.ends_with("unsigned")),
        collation: full.then_some(match declared {
            "binary(16)" | "uuid" => 63,
            _ => 45,
        }),
        name: full.then(|| name.to_owned()),
        members: (full && code == code::ENUM).then(|| vec![b"a".to_vec(), b"b".to_vec()]),
    };
    let part = |&column: &usize| KeyPart { column, prefix: 0 };
    TableMap {
        table_id: 1,
        database: "d".to_owned(),
        table: "t".to_owned(),
        columns: columns.iter().map(column).collect(),
        primary_key: (full && !key.is_empty()).then(|| key.iter().map(part).collect()),
    }
}

#[test]
fn both_roads_meet() {
    let info = info(&TABLE, &["id"]);
    let snapshot = Layout::from_info(&info, &[], OPTIONS).unwrap();
    for full in [true, false] {
        let log = Layout::from_table_map(&map(&TABLE, full, &[0]), Some(&info), &[], OPTIONS);
        let log = log.unwrap();
        assert_eq!(log.schema, snapshot.schema);
        assert_eq!(log.columns, snapshot.columns);
        assert_eq!(log.key, [0]);
        assert!(log.image[0].in_key && !log.image[1].in_key);
        assert_eq!(log.image.len(), TABLE.len());
    }
    let types: Vec<_> = snapshot
        .schema
        .columns
        .iter()
        .map(|column| column.data_type)
        .collect();
    assert_eq!(
        types[..3],
        [DataType::Int64, DataType::Int16, DataType::Decimal(15, 2)]
    );
    assert_eq!(snapshot.columns[10].kind, Kind::Uuid);
    assert_eq!(snapshot.schema.key, ["id"]);
}

#[test]
fn the_map_alone_is_enough_when_it_is_full() {
    let log = Layout::from_table_map(&map(&TABLE, true, &[5, 0]), None, &[], OPTIONS).unwrap();
    assert_eq!(log.key, [5, 0]);
    assert_eq!(log.schema.key, ["name", "id"]);
    // What only the declaration knows: a UUID is 16 bytes.
    assert_eq!(log.columns[10].kind, Kind::FixedBytes(16));
    assert_eq!(log.columns[5].kind, Kind::Text(Charset::Utf8));
}

#[test]
fn a_map_without_names_must_fit_in_all_places() {
    let bare = map(&TABLE, false, &[]);
    let refused = |info: Option<&TableInfo>| {
        let error = Layout::from_table_map(&bare, info, &[], OPTIONS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(
            error
                .help()
                .is_some_and(|fix| fix.contains("binlog_row_metadata=FULL"))
        );
    };
    refused(None);
    refused(Some(&info(&TABLE[..11], &[])));
    for (place, other) in [
        (0, "bigint(20) unsigned"),
        (2, "double"),
        (3, "datetime"),
        (6, "longtext"),
        (7, "binary(8)"),
        (8, "set('a','b','c','d','e','f','g','h','i')"),
        (9, "bit(10)"),
    ] {
        let mut changed = TABLE;
        changed[place].1 = other;
        let mut info = info(&changed, &[]);
        if place == 3 {
            info.columns[3].fraction = Some(0);
        }
        refused(Some(&info));
    }
}

#[test]
fn excluded_and_hidden_columns_are_passed_over() {
    let excluded = ["body".to_owned(), "tiny".to_owned()];
    let mut columns = TABLE.to_vec();
    columns.push(("DB_ROW_HASH_1", "bigint(20)", code::LONGLONG, 0));
    let info = info(&TABLE, &["id"]);
    let log = Layout::from_table_map(&map(&columns, true, &[0]), Some(&info), &excluded, OPTIONS)
        .unwrap();
    let snapshot = Layout::from_info(&info, &excluded, OPTIONS).unwrap();
    assert_eq!(log.columns, snapshot.columns);
    assert_eq!(log.image.len(), 13);
    assert_eq!(log.image.iter().filter(|column| column.kept).count(), 10);
    let error = Layout::from_info(&info, &["id".to_owned()], OPTIONS).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn keys_that_are_no_whole_primary_key() {
    let mut info = info(&TABLE, &["tiny"]);
    info.key_index = Some("unique_tiny".to_owned());
    let unique =
        Layout::from_table_map(&map(&TABLE, true, &[]), Some(&info), &[], OPTIONS).unwrap();
    assert_eq!(unique.key, [1]);
    let mut prefixed = map(&TABLE, true, &[6]);
    prefixed.primary_key = Some(vec![KeyPart {
        column: 6,
        prefix: 5,
    }]);
    let other = Layout::from_table_map(&prefixed, Some(&info), &[], OPTIONS).unwrap();
    assert_eq!(other.key, [1]);
    // A primary key that is newer than these rows does not hold for them.
    info.key_index = Some("PRIMARY".to_owned());
    let older = Layout::from_table_map(&map(&TABLE, true, &[]), Some(&info), &[], OPTIONS).unwrap();
    assert!(older.key.is_empty());
}

#[test]
fn old_and_unreadable_storage() {
    let old = [("at", "datetime", code::DATETIME, 0)];
    let log = Layout::from_table_map(&map(&old, true, &[]), None, &[], OPTIONS).unwrap();
    assert_eq!(log.image[0].format, Format::Legacy);
    assert_eq!(log.image[0].wire, Wire::Fixed(8));
    let mut fractional = info(&old, &[]);
    fractional.columns[0].fraction = Some(3);
    let hires = Layout::from_table_map(&map(&old, true, &[]), Some(&fractional), &[], OPTIONS);
    assert!(
        hires
            .unwrap_err()
            .to_string()
            .contains("mysql56_temporal_format")
    );
    let odd = [("c", "varchar(10)", 99, 40)];
    let error = Layout::from_table_map(&map(&odd, true, &[]), None, &[], OPTIONS).unwrap_err();
    assert!(error.to_string().contains("column `c` of d.t"), "{error}");
}

#[test]
fn a_snapshot_selects_by_name_and_some_charsets_raw() {
    let mut info = info(&[("o`dd", "varchar(9)", 0, 0), ("n", "int", 0, 0)], &[]);
    info.columns[0].charset = Some("gbk".to_owned());
    let layout = Layout::from_info(&info, &[], OPTIONS).unwrap();
    assert_eq!(layout.select_list(), "CAST(`o``dd` AS BINARY), `n`");
}
