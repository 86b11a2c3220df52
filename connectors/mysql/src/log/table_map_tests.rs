#![allow(clippy::unwrap_used)]
//! Table maps as servers wrote them, and garbage.

use proptest::prelude::*;

use super::*;

/// A field of the optional part.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut field = vec![number, body.len() as u8];
    field.extend(body);
    field
}

/// A body: columns by code, their metas, and fields.
fn body(codes: &[u8], metas: &[u8], nulls: &[u8], fields: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0x70, 0, 0, 0, 0, 0, 1, 0, 1, b'd', 0, 2, b't', b'1', 0];
    body.push(codes.len() as u8);
    body.extend(codes);
    body.push(metas.len() as u8);
    body.extend(metas);
    body.extend(nulls);
    body.extend(fields.concat());
    body
}

/// `d.t1` as MySQL 9.7 wrote it: id int unsigned, y year, a int unsigned, b int, ts timestamp(3),
/// bt bit(9), f float unsigned, c bigint unsigned, t tinyint, v varchar latin1, e enum latin1,
/// bi binary(16), g geometry, vb varbinary(20), s set utf8mb4, tx text ucs2, j json, vg int,
/// d decimal(65,30).
fn mysql() -> Vec<u8> {
    let names = [
        "id", "y", "a", "b", "ts", "bt", "f", "c", "t", "v", "e", "bi", "g", "vb", "s", "tx", "j",
        "vg", "d",
    ];
    let names: Vec<u8> = names
        .iter()
        .flat_map(|name| [&[name.len() as u8], name.as_bytes()].concat())
        .collect();
    body(
        &[
            3, 13, 3, 3, 17, 16, 4, 8, 1, 15, 254, 254, 255, 15, 254, 252, 245, 3, 246,
        ],
        &[
            3, 1, 1, 4, 10, 0, 0xf7, 1, 0xfe, 16, 4, 20, 0, 0xf8, 1, 2, 4, 65, 30,
        ],
        &[0xfe, 0xff, 0x07],
        &[
            field(1, &[0xec, 0]),
            field(3, &[8, 63, 63, 35]),
            field(7, &[0]),
            field(4, &names),
            field(11, &[8, 0xfc, 0xff, 0]),
            field(5, &[2, 1, b'x', 1, b'y']),
            field(6, &[2, 1, b'a', 1, b'b']),
            field(8, &[0]),
            field(12, &[0xff, 0xff, 0xe0]),
        ],
    )
}

#[test]
fn a_map_of_mysql() {
    let body = mysql();
    let map = TableMap::parse(&body, Flavor::MySql).unwrap();
    assert_eq!(
        (map.table_id, map.database.as_str(), map.table.as_str()),
        (0x70, "d", "t1")
    );
    assert!(map.is_named());
    let column = |name: &str| {
        map.columns
            .iter()
            .find(|column| column.name.as_deref() == Some(name))
            .unwrap()
    };
    let unsigned: Vec<_> = map
        .columns
        .iter()
        .filter(|column| column.unsigned == Some(true))
        .filter_map(|column| column.name.as_deref())
        .collect();
    // The year counts among the numbers, or `a` and `b` would have each other's sign.
    assert_eq!(unsigned, ["id", "y", "a", "f", "c"]);
    assert_eq!(column("b").unsigned, Some(false));
    assert_eq!(column("v").collation, Some(8));
    assert_eq!(column("bi").collation, Some(63));
    assert_eq!(column("vb").collation, Some(63));
    assert_eq!(column("tx").collation, Some(35));
    assert_eq!((column("g").collation, column("j").collation), (None, None));
    assert_eq!((column("e").code, column("e").meta), (code::ENUM, 0x100));
    assert_eq!(column("e").collation, Some(8));
    assert_eq!(column("s").collation, Some(255));
    assert_eq!(
        column("s").members,
        Some(vec![b"x".to_vec(), b"y".to_vec()])
    );
    assert_eq!(column("bi").meta, 16);
    assert_eq!(column("d").meta.to_le_bytes(), [65, 30]);
    assert!(!column("id").nullable && column("d").nullable);
    assert_eq!(
        map.primary_key,
        Some(vec![KeyPart {
            column: 0,
            prefix: 0
        }])
    );
    let head = Head::parse(&body).unwrap();
    assert_eq!(
        (head.table_id, head.database, head.table),
        (0x70, "d", "t1")
    );
    assert_eq!(head.identity, &body[6..]);
}

#[test]
fn a_geometry_has_a_charset_on_mariadb_only() {
    // geometry, varchar, longtext (JSON), blob: as MariaDB 10.11 and MySQL 9.7 wrote them.
    let codes = [255, 15, 252, 252];
    let metas = [4, 40, 0, 4, 2];
    let mariadb = body(&codes, &metas, &[0x0f], &[field(3, &[63, 45, 46, 63])]);
    let map = TableMap::parse(&mariadb, Flavor::MariaDb).unwrap();
    let collations = |map: &TableMap| {
        map.columns
            .iter()
            .map(|column| column.collation)
            .collect::<Vec<_>>()
    };
    assert_eq!(collations(&map), [Some(63), Some(45), Some(46), Some(63)]);
    assert!(TableMap::parse(&mariadb, Flavor::MySql).is_err());
    let mysql = body(&codes, &metas, &[0x0f], &[field(2, &[45, 2, 63])]);
    let map = TableMap::parse(&mysql, Flavor::MySql).unwrap();
    assert_eq!(collations(&map), [None, Some(45), Some(45), Some(63)]);
}

#[test]
fn a_long_char_and_a_prefixed_key() {
    // CHAR(100) of utf8mb4: 400 bytes, two bits of which stand upside down in the type.
    let fields = [field(9, &[0, 5])];
    let map = TableMap::parse(&body(&[254], &[0xee, 0x90], &[0], &fields), Flavor::MySql).unwrap();
    assert_eq!(
        (map.columns[0].code, map.columns[0].meta),
        (code::STRING, 400)
    );
    assert_eq!(
        map.primary_key,
        Some(vec![KeyPart {
            column: 0,
            prefix: 5
        }])
    );
    assert!(!map.is_named());
}

#[test]
fn contradictions_are_refused() {
    let refused = |body: &[u8]| TableMap::parse(body, Flavor::MySql).is_err();
    assert!(
        refused(&body(&[3, 3], &[], &[0], &[field(4, &[1, b'a'])])),
        "a name is missing"
    );
    assert!(
        refused(&body(&[3], &[], &[0], &[field(1, &[])])),
        "a sign is missing"
    );
    assert!(
        refused(&body(&[3], &[], &[0], &[field(8, &[1])])),
        "the key is elsewhere"
    );
    assert!(
        refused(&body(&[15], &[4, 0], &[0], &[field(2, &[45, 1, 8])])),
        "no such column"
    );
    assert!(
        refused(&body(&[254], &[0xf0, 1], &[0], &[])),
        "no type of CHAR"
    );
    assert!(refused(&body(&[15], &[4], &[0], &[])), "half a meta");
    let error = TableMap::parse(&body(&[200], &[], &[0], &[]), Flavor::MySql).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
}

proptest! {
    #[test]
    fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = TableMap::parse(&garbage, Flavor::MySql);
        let _ = Head::parse(&garbage);
    }

    #[test]
    fn damage_never_panics(at in 0_usize..200, to in any::<u8>(), cut in 0_usize..250) {
        let mut body = mysql();
        let at = at % body.len();
        body[at] = to;
        body.truncate(cut);
        let _ = TableMap::parse(&body, Flavor::MariaDb);
    }
}
