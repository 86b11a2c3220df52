use proptest::prelude::*;

use super::*;

fn info(column_type: &str, nullable: bool, default: Option<&str>, extra: &str) -> ColumnInfo {
    let data_type = column_type.split(['(', ' ']).next().unwrap_or_default();
    ColumnInfo {
        name: "c".to_owned(),
        data_type: data_type.to_owned(),
        column_type: column_type.to_owned(),
        nullable,
        default: default.map(str::to_owned),
        extra: extra.to_owned(),
        ..ColumnInfo::default()
    }
}

fn constant(text: &str) -> DefaultValue {
    Constant(text.to_owned())
}

#[test]
fn mysql_prints_texts_bare() {
    let of = |column_type, default, extra| {
        constant_default(&info(column_type, true, default, extra), Flavor::MySql)
    };
    assert_eq!(
        of("varchar(20)", Some("it's a \\ \"q\""), ""),
        constant("it's a \\ \"q\"")
    );
    assert_eq!(of("int", Some("-5"), ""), constant("-5"));
    assert_eq!(of("decimal(10,2)", Some("1.50"), ""), constant("1.50"));
    assert_eq!(of("bit(5)", Some("b'101'"), ""), constant("5"));
    assert_eq!(of("bit(1)", Some("b'1'"), ""), constant("1"));
    assert_eq!(of("varchar(9)", Some("NULL"), ""), constant("NULL"));
    assert_eq!(of("varchar(9)", None, ""), Null);
    assert_eq!(
        of("varchar(30)", Some("CURRENT_TIMESTAMP"), ""),
        constant("CURRENT_TIMESTAMP")
    );
    assert_eq!(
        of("datetime", Some("CURRENT_TIMESTAMP"), "default_generated"),
        Unknown
    );
    assert_eq!(
        of("timestamp(3)", Some("CURRENT_TIMESTAMP(3)"), ""),
        Unknown
    );
    assert_eq!(of("int", Some("(1 + 1)"), "default_generated"), Unknown);
    assert_eq!(of("int", None, "stored generated"), Unknown);
    assert_eq!(of("int", None, "virtual generated"), Unknown);
    assert_eq!(of("bigint", None, "auto_increment"), Unknown);
    assert_eq!(of("binary(4)", Some("0x6162"), ""), Unknown);
    assert_eq!(
        of("timestamp", Some("2020-01-01 00:00:00"), ""),
        constant("2020-01-01 00:00:00")
    );
}

#[test]
fn mariadb_prints_expressions() {
    let of = |column_type, default, extra| {
        constant_default(&info(column_type, true, default, extra), Flavor::MariaDb)
    };
    assert_eq!(
        of("varchar(20)", Some(r#"'it''s a \\ "q"'"#), ""),
        constant("it's a \\ \"q\"")
    );
    assert_eq!(
        of("varchar(10)", Some("'tab\tnl\\n'"), ""),
        constant("tab\tnl\n")
    );
    assert_eq!(of("int(11)", Some("-5"), ""), constant("-5"));
    assert_eq!(of("double", Some("1e30"), ""), constant("1e30"));
    assert_eq!(of("bit(5)", Some("b'101'"), ""), constant("5"));
    assert_eq!(of("varchar(10)", Some("NULL"), ""), Null);
    assert_eq!(of("varchar(10)", Some("'NULL'"), ""), constant("NULL"));
    assert_eq!(of("varchar(5)", Some("''"), ""), constant(""));
    assert_eq!(of("datetime", Some("current_timestamp()"), ""), Unknown);
    assert_eq!(of("varchar(50)", Some("concat('a','b')"), ""), Unknown);
    assert_eq!(of("varchar(50)", Some("'a' 'b'"), ""), Unknown);
    assert_eq!(of("int(11)", Some("(1 + 1)"), ""), Unknown);
    assert_eq!(of("binary(4)", Some("'ab\\0\\0'"), ""), Unknown);
    assert_eq!(of("date", Some("'2020-01-02'"), ""), constant("2020-01-02"));
}

#[test]
fn a_column_that_must_have_a_value_gets_an_implicit_one() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let of = |column_type| constant_default(&info(column_type, false, None, ""), flavor);
        assert_eq!(of("int"), constant("0"));
        assert_eq!(of("decimal(10,2)"), constant("0"));
        assert_eq!(of("varchar(10)"), constant(""));
        assert_eq!(of("enum('x','y''z')"), constant("x"));
        assert_eq!(of("enum('y''z,','x')"), constant("y'z,"));
        assert_eq!(of("set('a','b')"), constant(""));
        assert_eq!(of("date"), constant("0000-00-00"));
        assert_eq!(of("json"), Unknown);
        assert_eq!(of("geometry"), Unknown);
        assert_eq!(of("blob"), Unknown);
    }
    let mut precise = info("datetime(3)", false, None, "");
    precise.fraction = Some(3);
    let value = constant_default(&precise, Flavor::MySql);
    assert_eq!(value, constant("0000-00-00 00:00:00.000"));
}

proptest! {
    #[test]
    fn quoting_is_undone(text in ".*") {
        let quoted = format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
        prop_assert_eq!(unquote(&quoted), Some(text));
    }

    #[test]
    fn nothing_panics(kind in "(enum|bit|set|int|text)", default in ".*", rest in ".*") {
        for flavor in [Flavor::MySql, Flavor::MariaDb] {
            let mut info = info(&kind, false, Some(&default), "");
            info.column_type = format!("{kind}{rest}");
            let _ = constant_default(&info, flavor);
            info.default = None;
            let _ = constant_default(&info, flavor);
        }
    }
}
