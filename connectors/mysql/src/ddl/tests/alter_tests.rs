//! What each clause of ALTER TABLE may do.

use super::*;

/// The flags as letters: layout, converts, moves rows, key.
pub(super) fn flags(text: &str) -> String {
    let Changes {
        layout,
        converts,
        moves_rows,
        key,
    } = alter(text).changes;
    [
        (layout, 'l'),
        (converts, 'c'),
        (moves_rows, 'm'),
        (key, 'k'),
    ]
    .into_iter()
    .filter_map(|(set, letter)| set.then_some(letter))
    .collect()
}

#[test]
fn columns_come_and_go() {
    for clause in [
        "ADD x INT",
        "ADD COLUMN x INT DEFAULT 5 FIRST, ALGORITHM=INSTANT, LOCK=NONE",
        "ADD COLUMN IF NOT EXISTS x INT AFTER `y`",
        "ADD (x INT, y DECIMAL(10,2))",
        "ADD COLUMN (x ENUM('a','b,c'), y INT)",
        "ADD `primary` INT",
        "ADD x INT COMMENT 'a unique key'",
        "ADD period INT",
        "ADD vector VECTOR(3)",
        "DROP x",
        "DROP COLUMN IF EXISTS `key`",
        "DROP period",
        "RENAME COLUMN a TO b",
        "ADD PERIOD FOR SYSTEM_TIME (a, b)",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "l",
            "{clause}"
        );
    }
    for clause in [
        "ADD id INT PRIMARY KEY",
        "ADD x INT UNIQUE",
        "ADD id SERIAL",
        "ADD x INT KEY",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "lk",
            "{clause}"
        );
    }
    for clause in [
        "MODIFY x BIGINT",
        "MODIFY COLUMN IF EXISTS x VARCHAR(20) CHARACTER SET latin1",
        "CHANGE x y INT",
        "CHANGE COLUMN x x INT",
        "CONVERT TO CHARACTER SET utf8mb4",
        "MODIFY x INT, ADD y INT, DROP z",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "lc",
            "{clause}"
        );
    }
}

#[test]
fn renamed_columns_are_remembered() {
    let of = |text: &str| alter(text).renamed_columns;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let text = "ALTER TABLE t CHANGE a b INT, RENAME COLUMN `c d` TO e, CHANGE f f INT";
    assert_eq!(of(text), [pair("a", "b"), pair("c d", "e")]);
    assert_eq!(of("ALTER TABLE t ADD a INT"), []);
}

#[test]
fn keys_change() {
    for clause in [
        "ADD PRIMARY KEY (id)",
        "DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)",
        "ADD UNIQUE (x)",
        "ADD UNIQUE INDEX u (x)",
        "ADD CONSTRAINT u UNIQUE (x)",
        "ADD CONSTRAINT PRIMARY KEY (x)",
        "DROP INDEX u",
        "DROP KEY u",
        "DROP CONSTRAINT u",
        "RENAME INDEX a TO b",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "k",
            "{clause}"
        );
    }
    for text in [
        "CREATE UNIQUE INDEX u ON orders (x)",
        "DROP INDEX u ON orders",
    ] {
        assert_eq!(
            (flags(text).as_str(), alter(text).table),
            ("k", table("orders")),
            "{text}"
        );
    }
}

#[test]
fn partitions_take_rows_with_them() {
    for clause in [
        "TRUNCATE PARTITION p0, p1",
        "TRUNCATE PARTITION ALL",
        "DROP PARTITION p0, p1",
        "EXCHANGE PARTITION p0 WITH TABLE other.x WITHOUT VALIDATION",
        "DISCARD TABLESPACE",
        "IMPORT PARTITION p0, p1 TABLESPACE",
        "CONVERT PARTITION p0 TO TABLE other.x",
        "CONVERT TABLE other.x TO PARTITION p0 VALUES LESS THAN (5)",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "m",
            "{clause}"
        );
    }
    let other = Some(table("other.x"));
    let exchange = alter("ALTER TABLE orders EXCHANGE PARTITION p0 WITH TABLE other.x");
    assert_eq!(exchange.exchanged_with, other);
    let convert = alter("ALTER TABLE orders CONVERT PARTITION p0 TO TABLE other.x");
    assert_eq!(convert.exchanged_with, other);
}

#[test]
fn what_changes_no_value_changes_nothing() {
    for clause in [
        "ENGINE=InnoDB",
        "ENGINE = InnoDB ROW_FORMAT=DYNAMIC, COMMENT 'DROP COLUMN x'",
        "ADD INDEX i (a, b)",
        "ADD KEY (a), ADD FULLTEXT (b), ADD VECTOR INDEX (v)",
        "ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES other.x (id) ON DELETE CASCADE",
        "ADD CONSTRAINT c CHECK (a > 0)",
        "DROP FOREIGN KEY f",
        "DROP CHECK c",
        "ALTER COLUMN a SET DEFAULT 5",
        "ALTER a DROP DEFAULT",
        "ALTER INDEX i INVISIBLE",
        "ORDER BY a, b",
        "ADD PARTITION (PARTITION p3 VALUES LESS THAN (9))",
        "REORGANIZE PARTITION p0, p1 INTO (PARTITION p2 VALUES LESS THAN (9))",
        "COALESCE PARTITION 2",
        "REBUILD PARTITION p0, p1",
        "REMOVE PARTITIONING",
        "PARTITION BY KEY (a) PARTITIONS 4",
        "DEFAULT CHARACTER SET utf8mb4 COLLATE = utf8mb4_bin",
        "AUTO_INCREMENT = 100",
        "FORCE, ALGORITHM=INPLACE",
        "DISABLE KEYS",
        "SOME_NEW_OPTION = 5",
        "",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "",
            "{clause}"
        );
    }
}

#[test]
fn what_is_not_understood_is_taken_for_the_worst() {
    for clause in [
        "FROBNICATE x",
        "ADD SYSTEM VERSIONING",
        "DROP SYSTEM VERSIONING",
        "(x)",
    ] {
        assert_eq!(
            flags(&format!("ALTER TABLE orders {clause}")),
            "lck",
            "{clause}"
        );
    }
    let unknown = read("IMPORT TABLE FROM 'orders.sdi'");
    assert!(matches!(unknown, Statement::Unknown(_)), "{unknown:?}");
    let unknown = read("FROBNICATE `Orders` (x)");
    assert!(unknown.touches(&table("orders")) && !unknown.touches(&table("order")));
    assert!(!read("FROBNICATE 'orders'").touches(&table("orders")));
}

#[test]
fn alter_has_many_beginnings() {
    for text in [
        "ALTER ONLINE IGNORE TABLE orders ADD x INT",
        "ALTER TABLE IF EXISTS orders WAIT 5 ADD x INT",
        "alter/**/table`orders`add(x int)",
        "ALTER TABLE orders NOWAIT ADD x INT",
        "/* hint */ ALTER TABLE shop . orders ADD x INT;",
    ] {
        assert_eq!(
            (flags(text).as_str(), alter(text).table),
            ("l", table("orders")),
            "{text}"
        );
    }
    for text in [
        "ALTER USER a IDENTIFIED BY 'b'",
        "ALTER DATABASE shop CHARACTER SET utf8mb4",
        "ALTER VIEW v AS SELECT 1",
    ] {
        assert_eq!(read(text), Statement::Ignorable, "{text}");
    }
}
