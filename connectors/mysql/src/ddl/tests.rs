#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::alter::{Alter, Changes};
use super::statement::{Origin, Rename, Xa};
use super::*;

mod alter_tests;

use alter_tests::flags;

fn context() -> Context<'static> {
    Context {
        database: "shop",
        flavor: Flavor::MySql,
        version: 90_700,
        ansi_quotes: false,
        no_backslash_escapes: false,
        ignores_case: false,
    }
}

fn mariadb() -> Context<'static> {
    Context {
        flavor: Flavor::MariaDb,
        version: 101_119,
        ..context()
    }
}

fn read(text: &str) -> Statement {
    classify(text.as_bytes(), &context())
}

fn table(name: &str) -> Table {
    let (database, name) = name.split_once('.').unwrap_or(("shop", name));
    Table {
        database: database.to_owned(),
        name: name.to_owned(),
    }
}

fn alter(text: &str) -> Alter {
    match read(text) {
        Statement::AlterTable(alter) => alter,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn transactions_begin_and_end() {
    for text in [
        "BEGIN",
        "begin work",
        "START TRANSACTION",
        "/* app */ BEGIN",
    ] {
        assert_eq!(read(text), Statement::Begin, "{text}");
    }
    for text in ["COMMIT", "commit /* x */;", "COMMIT WORK"] {
        assert_eq!(read(text), Statement::Commit, "{text}");
    }
    assert_eq!(read("ROLLBACK"), Statement::Rollback);
    for text in [
        "SAVEPOINT `a`",
        "ROLLBACK TO `a`",
        "ROLLBACK WORK TO SAVEPOINT a",
        "RELEASE SAVEPOINT a",
    ] {
        assert_eq!(read(text), Statement::Savepoint, "{text}");
    }
}

#[test]
fn xa_transactions_are_told_by_their_name() {
    let xid = "X'6162',X'',1".to_owned();
    assert_eq!(
        read("XA START X'6162',X'',1"),
        Statement::Xa(Xa::Start { xid: xid.clone() })
    );
    assert_eq!(
        read("XA END x'6162', x'', 1"),
        Statement::Xa(Xa::End { xid: xid.clone() })
    );
    let prepare = Statement::Xa(Xa::Prepare { xid: xid.clone() });
    assert_eq!(read("XA PREPARE X'6162',X'',1"), prepare);
    let commit = Statement::Xa(Xa::Commit { xid: xid.clone() });
    assert_eq!(read("XA COMMIT X'6162',X'',1 ONE PHASE"), commit);
    assert_eq!(
        read("XA ROLLBACK X'6162',X'',1"),
        Statement::Xa(Xa::Rollback { xid })
    );
}

#[test]
fn names_are_resolved_and_unquoted() {
    for (text, expected) in [
        ("TRUNCATE orders", "orders"),
        ("truncate table `orders`;", "orders"),
        ("TRUNCATE TABLE other.orders", "other.orders"),
        ("TRUNCATE TABLE `o``dd`.`a.b`", "o`dd.a.b"),
        (
            "TRUNCATE /* x */ TABLE -- y\n `other` . # z\n orders",
            "other.orders",
        ),
        ("TRUNCATE TABLE other.2024", "other.2024"),
        ("TRUNCATE TABLE 2024_orders", "2024_orders"),
        ("TRUNCATE TABLE größe", "größe"),
        ("TRUNCATE TABLE t$1 WAIT 5", "t$1"),
    ] {
        assert_eq!(read(text), Statement::Truncate(table(expected)), "{text}");
    }
    let lower = Context {
        ignores_case: true,
        ..context()
    };
    let kept = classify(b"TRUNCATE Other.Orders", &lower);
    assert_eq!(kept, Statement::Truncate(table("other.orders")));
    let ansi = Context {
        ansi_quotes: true,
        ..context()
    };
    let quoted = classify(b"TRUNCATE \"a\"\"b\".\"c\\\"", &ansi);
    assert_eq!(quoted, Statement::Truncate(table("a\"b.c\\")));
    assert!(matches!(read("TRUNCATE \"orders\""), Statement::Unknown(_)));
}

#[test]
fn tables_are_created() {
    let of = |text: &str| match read(text) {
        Statement::CreateTable(create) => create,
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "CREATE TABLE orders (id INT PRIMARY KEY)",
        "create table shop.orders (id int) comment 'as select' engine=innodb",
        "CREATE TABLE orders (a INT, `select` INT)",
        "CREATE TABLE orders (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1))",
        "CREATE TABLE orders (a INT) /*!50100 PARTITION BY HASH (a) */",
    ] {
        let create = of(text);
        assert_eq!(
            (create.table, create.origin),
            (table("orders"), Origin::Declared),
            "{text}"
        );
        assert!(!create.replaces && !create.if_missing, "{text}");
    }
    for text in [
        "CREATE TABLE orders SELECT 1",
        "CREATE TABLE orders AS SELECT * FROM x",
        "CREATE TABLE orders (a INT) AS (SELECT 1)",
        "CREATE TABLE orders (SELECT 1)",
        "CREATE TABLE orders AS WITH x AS (SELECT 1) SELECT * FROM x",
        "CREATE TABLE orders TABLE x",
        "CREATE TABLE `orders` (\n  `a` int\n) START TRANSACTION",
    ] {
        assert_eq!(of(text).origin, Origin::Select, "{text}");
    }
    for text in [
        "CREATE TABLE orders LIKE other.x",
        "CREATE TABLE orders (LIKE other.x)",
    ] {
        assert_eq!(of(text).origin, Origin::Like(table("other.x")), "{text}");
    }
    assert!(of("CREATE OR REPLACE TABLE orders (id INT)").replaces);
    assert!(of("CREATE TABLE IF NOT EXISTS orders (id INT)").if_missing);
    for text in [
        "CREATE TEMPORARY TABLE a (b INT)",
        "CREATE OR REPLACE TEMPORARY TABLE a (b INT)",
    ] {
        assert_eq!(read(text), Statement::Ignorable, "{text}");
    }
}

#[test]
fn tables_and_databases_go() {
    let two = Statement::DropTables(vec![table("a"), table("other.b")]);
    for text in [
        "DROP TABLE a, other.b",
        "DROP TABLES IF EXISTS `a` , `other`.`b` CASCADE",
        "DROP TABLE IF EXISTS `a`,`other`.`b` /* generated by server */",
        "DROP TABLE a, other.b WAIT 5 RESTRICT;",
    ] {
        assert_eq!(read(text), two, "{text}");
    }
    assert_eq!(read("DROP TEMPORARY TABLE a"), Statement::Ignorable);
    assert!(matches!(read("DROP TABLE a b"), Statement::Unknown(_)));
    for text in ["DROP DATABASE other", "DROP SCHEMA IF EXISTS `other`"] {
        assert_eq!(
            read(text),
            Statement::DropDatabase("other".to_owned()),
            "{text}"
        );
    }
    assert!(read("DROP DATABASE other").touches(&table("other.x")));
}

#[test]
fn tables_are_renamed() {
    let swap = read("RENAME TABLE orders TO _orders_old, shop._orders_new TO orders");
    let pair = |from: &str, to: &str| Rename {
        from: table(from),
        to: table(to),
    };
    let expected = vec![pair("orders", "_orders_old"), pair("_orders_new", "orders")];
    assert_eq!(swap, Statement::RenameTables(expected));
    assert!(swap.touches(&table("_orders_new")) && !swap.touches(&table("other.orders")));
    let waits = read("rename table if exists a nowait to other.b");
    assert_eq!(waits, Statement::RenameTables(vec![pair("a", "other.b")]));
    assert_eq!(read("RENAME USER a TO b"), Statement::Ignorable);
    let alter = alter("ALTER TABLE orders RENAME TO other.o, ADD COLUMN x INT");
    assert_eq!(alter.renamed_to, Some(table("other.o")));
    assert!(alter.changes.layout);
    for text in [
        "ALTER TABLE a RENAME b",
        "ALTER TABLE a RENAME AS b",
        "ALTER TABLE a RENAME = b",
    ] {
        assert_eq!(self::alter(text).renamed_to, Some(table("b")), "{text}");
        assert!(!self::alter(text).changes.any(), "{text}");
    }
}

#[test]
fn rows_changed_by_statements_are_noticed() {
    for text in [
        "INSERT INTO orders VALUES (1)",
        "update orders set a = 1",
        "DELETE o FROM orders o JOIN x",
        "REPLACE orders SELECT 1",
        "LOAD DATA INFILE 'x' INTO TABLE `orders`",
        "WITH x AS (SELECT 1) UPDATE orders SET a = 1",
        "/* from the app */ INSERT IGNORE orders VALUES (1)",
    ] {
        let statement = read(text);
        assert!(
            matches!(statement, Statement::Dml(_)),
            "{text}: {statement:?}"
        );
        assert!(statement.touches(&table("orders")), "{text}");
        assert!(!statement.touches(&table("customers")), "{text}");
        assert!(!statement.touches(&table("other.orders")), "{text}");
    }
    let elsewhere = read("DELETE FROM `other` . `orders` WHERE orders.2024 = 1 AND x.other");
    assert!(elsewhere.touches(&table("other.orders")) && elsewhere.touches(&table("orders.2024")));
    assert!(!elsewhere.touches(&table("orders")) && !elsewhere.touches(&table("other")));
    // What a routine changes, it does not say.
    for text in ["CALL fill('x')", "SELECT `shop`.`f`(1)", "do f(1)"] {
        assert!(read(text).touches(&table("orders")), "{text}");
    }
    let measured = classify(b"ANALYZE UPDATE orders SET a = 1", &mariadb());
    assert!(matches!(measured, Statement::Dml(_)));
}

#[test]
fn the_rest_is_ignored() {
    for text in [
        "",
        " ;",
        "# Dum",
        "-- nothing",
        "/* nothing */",
        "GRANT SELECT ON shop.orders TO a",
        "CREATE USER a IDENTIFIED BY 'x'",
        "CREATE VIEW orders2 AS SELECT * FROM orders",
        "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON orders FOR EACH ROW DELETE FROM x",
        "CREATE INDEX i ON orders (a)",
        "CREATE DATABASE x",
        "DROP VIEW orders2",
        "DROP TRIGGER t",
        "SET PASSWORD FOR a = 'x'",
        "ANALYZE TABLE orders",
        "OPTIMIZE TABLE orders",
        "REPAIR TABLE orders",
        "FLUSH TABLES",
        "CREATE SEQUENCE s",
    ] {
        assert_eq!(read(text), Statement::Ignorable, "{text}");
    }
}

#[test]
fn executed_comments_count_where_they_are_executed() {
    let truncates = |text: &str, context: &Context<'_>| {
        classify(text.as_bytes(), context) == Statement::Truncate(table("orders"))
    };
    for text in [
        "/*!40000 TRUNCATE TABLE orders */",
        "/*! TRUNCATE */ orders",
        "TRUNCATE /*!50100 TABLE */ /*!80000 orders */;",
    ] {
        assert!(truncates(text, &context()), "{text}");
    }
    assert!(!truncates("/*!99999 TRUNCATE TABLE orders */", &context()));
    assert!(!truncates("/*M! TRUNCATE TABLE orders */", &context()));
    assert!(truncates("/*M! TRUNCATE TABLE orders */", &mariadb()));
    assert!(truncates("/*M!100301 TRUNCATE TABLE orders */", &mariadb()));
    assert!(!truncates(
        "/*M!120000 TRUNCATE TABLE orders */",
        &mariadb()
    ));
    assert!(truncates("/*!50100 TRUNCATE TABLE orders */", &mariadb()));
    assert!(!truncates("/*!80000 TRUNCATE TABLE orders */", &mariadb()));
    assert!(truncates(
        "TRUNCATE /*!99999 other. /*!50000 x. */ y. */ orders",
        &context()
    ));
}

#[test]
fn texts_hide_what_looks_like_a_clause() {
    let text = r"ALTER TABLE orders COMMENT 'it''s \', DROP COLUMN x', ENGINE=InnoDB";
    assert_eq!(flags(text), "");
    let plain = Context {
        no_backslash_escapes: true,
        ..context()
    };
    let text = r"ALTER TABLE orders COMMENT 'a\', DROP COLUMN x";
    match classify(text.as_bytes(), &plain) {
        Statement::AlterTable(alter) => assert!(alter.changes.layout),
        other => panic!("{other:?}"),
    }
    assert_eq!(flags("ALTER TABLE orders COMMENT \"a, DROP COLUMN x\""), "");
    assert_eq!(
        flags("ALTER TABLE orders ADD `a, DROP PARTITION p` INT"),
        "l"
    );
    assert_eq!(
        flags("ALTER TABLE orders ADD x INT DEFAULT (f(1, 'a)', 2))"),
        "l"
    );
}

#[test]
fn a_statement_may_be_set_up_first() {
    let context = mariadb();
    let set = b"SET STATEMENT max_statement_time=1000, lock_wait_timeout=1 FOR TRUNCATE orders";
    assert_eq!(
        classify(set, &context),
        Statement::Truncate(table("orders"))
    );
    let dml = classify(b"SET STATEMENT a=1 FOR DELETE FROM orders", &context);
    assert!(matches!(dml, Statement::Dml(_)) && dml.touches(&table("orders")));
}

#[test]
fn bytes_that_are_not_utf8_do_no_harm() {
    let text = b"ALTER USER a IDENTIFIED BY '\xff\xfe\\'";
    assert_eq!(classify(text, &context()), Statement::Ignorable);
    let text = b"ALTER TABLE orders COMMENT '\xff\xfe', ADD x INT";
    assert!(
        matches!(classify(text, &context()), Statement::AlterTable(alter) if alter.changes.layout)
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = classify(&bytes, &context());
        let _ = classify(&bytes, &mariadb());
    }

    #[test]
    fn no_run_of_words_makes_it_panic(
        words in proptest::collection::vec(prop_oneof![
            Just("ALTER"), Just("TABLE"), Just("orders"), Just("ADD"), Just("("), Just(")"), Just(","),
            Just("."), Just("'"), Just("`"), Just("\""), Just("/*"), Just("/*!"), Just("/*!50000"),
            Just("/*M!"), Just("*/"), Just("--"), Just("#"), Just("\n"), Just("\\"), Just("RENAME"),
            Just("TO"), Just("DROP"), Just("PARTITION"), Just("CREATE"), Just("LIKE"), Just("SELECT"),
            Just("SET"), Just("STATEMENT"), Just("FOR"), Just("XA"), Just("X'61'"), Just("1"), Just("="),
            Just("EXCHANGE"), Just("IF"), Just("EXISTS"), Just("WAIT"), Just("ON"), Just("TRUNCATE"),
        ], 0..14),
        blanks in any::<bool>(),
    ) {
        let text = words.join(if blanks { " " } else { "" });
        for context in [context(), mariadb(), Context { ansi_quotes: true, ..context() }] {
            let _ = classify(text.as_bytes(), &context);
        }
    }
}
