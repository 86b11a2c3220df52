#![allow(clippy::unwrap_used)]

use super::*;
use crate::ddl::{Context, Statement, classify};
use crate::server::Flavor;

fn column(name: &str, column_type: &str, charset: Option<&str>) -> ColumnInfo {
    ColumnInfo {
        name: name.to_owned(),
        data_type: data_type(column_type),
        column_type: column_type.to_owned(),
        nullable: true,
        charset: charset.map(ToOwned::to_owned),
        ..ColumnInfo::default()
    }
}

fn table() -> Declared {
    let info = TableInfo {
        database: "d".to_owned(),
        name: "t".to_owned(),
        columns: vec![
            column("id", "int unsigned", None),
            column("name", "varchar(20)", Some("latin1")),
            column("n", "decimal(10,2)", None),
        ],
        key: vec!["id".to_owned()],
        charset: Some("latin1".to_owned()),
        ..TableInfo::default()
    };
    Declared::of(&info, LogPosition::new("binlog.000001", 4))
}

fn alter(declared: &Declared, sql: &str, flavor: Flavor) -> Option<Declared> {
    let context = Context {
        database: "d",
        flavor,
        version: 90_700,
        ansi_quotes: false,
        no_backslash_escapes: false,
        ignores_case: false,
    };
    let text = format!("ALTER TABLE t {sql}");
    let Statement::AlterTable(alter) = classify(text.as_bytes(), &context) else {
        panic!("{text}");
    };
    declared.altered(&alter.edits?, LogPosition::new("binlog.000001", 99))
}

fn shown(declared: &Declared) -> String {
    let of = |column: &DeclaredColumn| {
        let charset = column.charset.as_ref().map(|name| format!(" {name}"));
        format!(
            "{} {}{}",
            column.name,
            column.column_type,
            charset.unwrap_or_default()
        )
    };
    declared
        .columns
        .iter()
        .map(of)
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn columns_follow_the_statements() {
    for (sql, expected) in [
        (
            "ADD x INT",
            "id int unsigned, name varchar(20) latin1, n decimal(10,2), x int",
        ),
        (
            "ADD COLUMN x BIGINT UNSIGNED NOT NULL DEFAULT 5 FIRST, DROP COLUMN n, ALGORITHM=INSTANT",
            "x bigint unsigned, id int unsigned, name varchar(20) latin1",
        ),
        (
            "ADD COLUMN (a ENUM('x','it''s') DEFAULT 'x', b DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3))",
            "id int unsigned, name varchar(20) latin1, n decimal(10,2), a enum('x','it''s') latin1, b datetime(3)",
        ),
        (
            "CHANGE n amount DECIMAL(12,4) AFTER id, MODIFY name TEXT CHARACTER SET utf8mb4 COMMENT 'a, b'",
            "id int unsigned, amount decimal(12,4), name text utf8mb4",
        ),
        (
            "RENAME COLUMN name TO n, RENAME COLUMN n TO name",
            "id int unsigned, n varchar(20) latin1, name decimal(10,2)",
        ),
        (
            "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, ADD c CHAR(3)",
            "id int unsigned, name varchar(20) utf8mb4, n decimal(10,2), c char(3) utf8mb4",
        ),
        (
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4, ADD c VARCHAR(9), ADD b VARCHAR(9) COLLATE latin2_general_ci",
            "id int unsigned, name varchar(20) latin1, n decimal(10,2), c varchar(9) utf8mb4, b varchar(9) latin2",
        ),
        (
            "ADD INDEX (n), ADD g INT AS (n * 2) STORED AFTER name, ADD s SET('a','b') NULL",
            "id int unsigned, name varchar(20) latin1, g int, n decimal(10,2), s set('a','b') latin1",
        ),
        (
            "ADD COLUMN IF NOT EXISTS NAME INT, DROP COLUMN IF EXISTS nothing, ADD f FLOAT(30), ADD d DOUBLE PRECISION DEFAULT -1.5",
            "id int unsigned, name varchar(20) latin1, n decimal(10,2), f double, d double",
        ),
    ] {
        let altered = alter(&table(), sql, Flavor::MariaDb);
        assert_eq!(
            altered.map(|altered| shown(&altered)).as_deref(),
            Some(expected),
            "{sql}"
        );
    }
}

#[test]
fn what_is_not_certain_ends_the_history() {
    for sql in [
        "ADD x HOLOGRAM",
        "ADD x TEXT(300)",
        "ADD x INT COMPRESSED",
        "ADD `ü` INT",
        r"ADD x ENUM('a\n')",
        "ADD x INT AFTER nothing",
        "ADD name INT",
        "DROP nothing",
        "MODIFY nothing INT",
        "RENAME COLUMN nothing TO x",
        "DROP id",
        "ADD x NATIONAL CHAR(3)",
        "ADD x INT, EXCHANGE PARTITION p WITH TABLE u",
        "ADD SYSTEM VERSIONING",
        "RENAME TO other, ADD x INT",
    ] {
        assert_eq!(alter(&table(), sql, Flavor::MySql), None, "{sql}");
    }
    let mut texts = table();
    texts.columns[1].column_type = "text".to_owned();
    assert_eq!(
        alter(&texts, "CONVERT TO CHARACTER SET utf8mb4", Flavor::MySql),
        None
    );
    assert!(alter(&texts, "CONVERT TO CHARACTER SET latin1", Flavor::MySql).is_some());
}

#[test]
fn a_key_keeps_the_names_of_its_columns() {
    let renamed = alter(&table(), "CHANGE ID nr BIGINT", Flavor::MySql).unwrap();
    assert_eq!(renamed.key, ["nr"]);
    assert_eq!(renamed.since, LogPosition::new("binlog.000001", 99));
}

#[test]
fn it_stands_for_what_information_schema_said() {
    let mut declared = table();
    declared.columns[2].column_type = "timestamp(6)".to_owned();
    let stored = serde_json::to_string(&declared).unwrap();
    let read: Declared = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, declared);
    let info = read.info(&TableInfo::default());
    assert_eq!(info.columns[2].fraction, Some(6));
    assert_eq!(info.columns[0].data_type, "int");
    let decimal = table().info(&TableInfo::default());
    assert_eq!(
        (decimal.columns[2].precision, decimal.columns[2].scale),
        (Some(10), Some(2))
    );
    for (flavor, json) in [
        (Flavor::MySql, "j json"),
        (Flavor::MariaDb, "j longtext utf8mb4"),
    ] {
        let altered = alter(&table(), "ADD j JSON", flavor).unwrap();
        assert!(shown(&altered).ends_with(json), "{altered:?}");
    }
}
