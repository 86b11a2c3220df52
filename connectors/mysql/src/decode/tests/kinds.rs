//! Values of every kind, extremes among them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::i256;

use super::super::decimal::{Packing, tests::pack};
use super::*;

/// Checks that both roads give the same array, of the kind's type, with NULL as its last value.
#[track_caller]
fn agree(kind: &Kind, wire: Wire, values: &[(&[u8], Value)]) -> ArrayRef {
    let mut all: Vec<_> = values
        .iter()
        .map(|(stored, value)| (Some(*stored), value.clone()))
        .collect();
    all.push((None, Value::NULL));
    let (log, snapshot) = one(kind, wire, &all, 45).unwrap();
    assert_eq!(&log, &snapshot);
    assert_eq!(
        log.data_type(),
        &kind.data_type(&options(ZeroDates::Null)).to_arrow()
    );
    assert_eq!(log.len(), values.len() + 1);
    assert!(log.is_null(values.len()) && log.null_count() == 1);
    log
}

fn texts(array: &ArrayRef) -> Vec<&str> {
    array.as_string::<i32>().iter().flatten().collect()
}

#[test]
fn small_integers() {
    let of = |kind, width, values: &[(&[u8], i64)]| {
        let values: Vec<_> = values
            .iter()
            .map(|(stored, number)| (*stored, Value::Int(*number)))
            .collect();
        agree(&kind, Wire::Fixed(width), &values)
    };
    let array = of(Kind::I8, 1, &[(&[0x80], -128), (&[0x7f], 127)]);
    assert_eq!(array.as_primitive::<Int16Type>().values()[..2], [-128, 127]);
    let array = of(Kind::U8, 1, &[(&[0xff], 255)]);
    assert_eq!(array.as_primitive::<Int16Type>().value(0), 255);
    let array = of(
        Kind::I16,
        2,
        &[(&[0, 0x80], -32_768), (&[0xff, 0x7f], 32_767)],
    );
    assert_eq!(
        array.as_primitive::<Int16Type>().values()[..2],
        [i16::MIN, i16::MAX]
    );
    let array = of(Kind::U16, 2, &[(&[0xff, 0xff], 65_535)]);
    assert_eq!(array.as_primitive::<Int32Type>().value(0), 65_535);
    let array = of(
        Kind::I24,
        3,
        &[
            (&[0xff, 0xff, 0xff], -1),
            (&[0, 0, 0x80], -8_388_608),
            (&[0xff, 0xff, 0x7f], 8_388_607),
        ],
    );
    assert_eq!(
        array.as_primitive::<Int32Type>().values()[..3],
        [-1, -8_388_608, 8_388_607]
    );
    let array = of(Kind::U24, 3, &[(&[0xff, 0xff, 0xff], 16_777_215)]);
    assert_eq!(array.as_primitive::<Int32Type>().value(0), 16_777_215);
    let array = of(Kind::Year, 1, &[(&[0], 0), (&[1], 1901), (&[255], 2155)]);
    assert_eq!(
        array.as_primitive::<Int16Type>().values()[..3],
        [0, 1901, 2155]
    );
}

#[test]
fn large_integers() {
    let array = agree(
        &Kind::I32,
        Wire::Fixed(4),
        &[(&i32::MIN.to_le_bytes(), Value::Int(i32::MIN.into()))],
    );
    assert_eq!(array.as_primitive::<Int32Type>().value(0), i32::MIN);
    let array = agree(
        &Kind::U32,
        Wire::Fixed(4),
        &[(&u32::MAX.to_le_bytes(), Value::Int(u32::MAX.into()))],
    );
    assert_eq!(
        array.as_primitive::<Int64Type>().value(0),
        i64::from(u32::MAX)
    );
    let array = agree(
        &Kind::I64,
        Wire::Fixed(8),
        &[
            (&i64::MIN.to_le_bytes(), Value::Int(i64::MIN)),
            (&[255; 8], Value::Int(-1)),
        ],
    );
    assert_eq!(
        array.as_primitive::<Int64Type>().values()[..2],
        [i64::MIN, -1]
    );
    let array = agree(
        &Kind::U64,
        Wire::Fixed(8),
        &[
            (&[255; 8], Value::UInt(u64::MAX)),
            (&[1, 0, 0, 0, 0, 0, 0, 0], Value::Int(1)),
        ],
    );
    assert_eq!(
        array.as_primitive::<UInt64Type>().values()[..2],
        [u64::MAX, 1]
    );
}

#[test]
fn floats_are_exact() {
    let float = 16_777_217.0_f32 + 0.1;
    let array = agree(
        &Kind::F32,
        Wire::Fixed(4),
        &[
            (&float.to_le_bytes(), Value::Float(float)),
            (&(-0.0_f32).to_le_bytes(), Value::Float(-0.0)),
        ],
    );
    assert_eq!(
        array.as_primitive::<Float32Type>().value(0).to_bits(),
        float.to_bits()
    );
    let array = agree(
        &Kind::F64,
        Wire::Fixed(8),
        &[(
            &f64::MIN_POSITIVE.to_le_bytes(),
            Value::Double(f64::MIN_POSITIVE),
        )],
    );
    assert_eq!(
        array.as_primitive::<Float64Type>().value(0),
        f64::MIN_POSITIVE
    );
}

#[test]
fn decimals() {
    let of = |precision: u8, scale: u8, texts: &[&str]| {
        let packing = Packing::new(precision, scale).unwrap();
        let packed: Vec<_> = texts
            .iter()
            .map(|text| pack(text, precision.into(), scale.into()))
            .collect();
        let values: Vec<_> = packed
            .iter()
            .zip(texts)
            .map(|(packed, text)| (packed.as_slice(), bytes(text)))
            .collect();
        agree(
            &Kind::Decimal(packing),
            Wire::Fixed(packing.size()),
            &values,
        )
    };
    let array = of(15, 2, &["901.00", "-0.01", "9999999999999.99"]);
    let values = array.as_primitive::<Decimal128Type>().values();
    assert_eq!(values[..3], [90_100, -1, 999_999_999_999_999]);
    let nines = format!("{}.{}", "9".repeat(35), "9".repeat(30));
    let array = of(
        65,
        30,
        &[
            &nines,
            &format!("-{nines}"),
            "0.000000000000000000000000000001",
        ],
    );
    let largest: i256 = i256::from_string(&"9".repeat(65)).unwrap();
    let values = array.as_primitive::<Decimal256Type>().values();
    assert_eq!(values[..3], [largest, largest.wrapping_neg(), i256::ONE]);
}

#[test]
fn bits() {
    let array = agree(
        &Kind::Bit(1),
        Wire::Fixed(1),
        &[(&[1], bytes([1])), (&[0], bytes([0]))],
    );
    assert!(array.as_boolean().value(0) && !array.as_boolean().value(1));
    let array = agree(&Kind::Bit(9), Wire::Fixed(2), &[(&[1, 2], bytes([1, 2]))]);
    assert_eq!(array.as_primitive::<Int64Type>().value(0), 0x102);
    let array = agree(
        &Kind::Bit(63),
        Wire::Fixed(8),
        &[(
            &[0x7f, 255, 255, 255, 255, 255, 255, 255],
            bytes([0x7f, 255, 255, 255, 255, 255, 255, 255]),
        )],
    );
    assert_eq!(array.as_primitive::<Int64Type>().value(0), i64::MAX);
    let array = agree(
        &Kind::Bit(64),
        Wire::Fixed(8),
        &[(&[255; 8], bytes([255; 8]))],
    );
    assert_eq!(array.as_primitive::<UInt64Type>().value(0), u64::MAX);
}

#[test]
fn dates() {
    let stored = |year: u32, month: u32, day: u32| (year << 9 | month << 5 | day).to_le_bytes();
    let array = agree(
        &Kind::Date,
        Wire::Fixed(3),
        &[
            (
                &stored(9999, 12, 31)[..3],
                Value::Date(9999, 12, 31, 0, 0, 0, 0),
            ),
            (&stored(1, 1, 1)[..3], Value::Date(1, 1, 1, 0, 0, 0, 0)),
            (
                &stored(1970, 1, 2)[..3],
                Value::Date(1970, 1, 2, 0, 0, 0, 0),
            ),
        ],
    );
    assert_eq!(
        array.as_primitive::<Date32Type>().values()[..3],
        [2_932_896, -719_162, 1]
    );
}

#[test]
fn moments() {
    let array = agree(
        &Kind::DateTime { fraction: 6 },
        Wire::Fixed(8),
        &[(
            &[0xfe, 0xf3, 0xff, 0x7e, 0xfb, 0x0f, 0x42, 0x3f],
            Value::Date(9999, 12, 31, 23, 59, 59, 999_999),
        )],
    );
    let micros = array.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(micros.value(0), 253_402_300_799_999_999);
    // One digit takes the byte of two.
    let array = agree(
        &Kind::DateTime { fraction: 1 },
        Wire::Fixed(6),
        &[(
            &[0x8c, 0xb2, 0x42, 0x00, 0x00, 70],
            Value::Date(1000, 1, 1, 0, 0, 0, 700_000),
        )],
    );
    let micros = array.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(micros.value(0), -30_610_224_000 * 1_000_000 + 700_000);
    let array = agree(
        &Kind::Timestamp { fraction: 3 },
        Wire::Fixed(6),
        &[
            // Beyond 2038: MariaDB from 11.5 on.
            (
                &[0xff, 0xff, 0xff, 0xff, 0x27, 0x06],
                Value::Date(2106, 2, 7, 6, 28, 15, 999_000),
            ),
            (&[0, 0, 0, 1, 0, 0], Value::Date(1970, 1, 1, 0, 0, 1, 0)),
        ],
    );
    let micros = array.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(micros.values()[..2], [4_294_967_295_999_000, 1_000_000]);
}

#[test]
fn times() {
    let array = agree(
        &Kind::Time { fraction: 6 },
        Wire::Fixed(6),
        &[
            (
                &[0x4b, 0x91, 0x04, 0xff, 0xff, 0xff],
                Value::Time(true, 34, 22, 59, 59, 1),
            ),
            (&[0x80, 0, 0, 0, 0, 0], Value::Time(false, 0, 0, 0, 0, 0)),
        ],
    );
    assert_eq!(texts(&array), ["-838:59:59.000001", "00:00:00.000000"]);
    let array = agree(
        &Kind::Time { fraction: 0 },
        Wire::Fixed(3),
        &[(&[0xb4, 0x6e, 0xfb], Value::Time(false, 34, 22, 59, 59, 0))],
    );
    assert_eq!(texts(&array), ["838:59:59"]);
}

#[test]
fn text_of_many_charsets() {
    let of = |charset: &str, stored: &[u8], text: &str| {
        let kind = Kind::Text(Charset::from_name(charset).unwrap());
        let mut image = vec![stored.len() as u8];
        image.extend(stored);
        // Fetched raw where the kind says so, else converted by the server.
        let (value, fetched) = if kind.fetched_raw() {
            (stored, 63)
        } else {
            (text.as_bytes(), 45)
        };
        let rows = [(Some(image.as_slice()), bytes(value))];
        let (log, snapshot) = one(&kind, Wire::Prefixed(1), &rows, fetched).unwrap();
        assert_eq!(&log, &snapshot);
        assert_eq!(texts(&log), [text]);
        if kind.fetched_raw() {
            // A column that the server converted all the same is not decoded twice.
            let rows = [(Some(image.as_slice()), bytes(text))];
            assert_eq!(
                texts(&one(&kind, Wire::Prefixed(1), &rows, 45).unwrap().1),
                [text]
            );
        }
    };
    of("utf8mb4", "naïve 😀".as_bytes(), "naïve 😀");
    of("latin1", b"\xe9\x80\x99", "é€™");
    of("latin1", b"plain", "plain");
    of("ucs2", b"\x00\xe9", "é");
    of("gbk", b"\xc4\xe3a", "你a");
    of("cp1251", b"\xcf\xf0", "Пр");
}

#[test]
fn bytes_of_all_sorts() {
    let array = agree(
        &Kind::Bytes,
        Wire::Prefixed(2),
        &[(&[2, 0, 0xff, 0], bytes([0xff, 0])), (&[0, 0], bytes([]))],
    );
    assert_eq!(array.as_binary::<i32>().value(0), [0xff, 0]);
    let array = agree(
        &Kind::FixedBytes(4),
        Wire::Prefixed(1),
        &[(&[1, b'a'], bytes(b"a\0\0\0")), (&[0], bytes([0; 4]))],
    );
    assert_eq!(array.as_binary::<i32>().value(0), b"a\0\0\0");
    let point = [0x10, 0x0e, 0, 0, 1, 1, 0, 0, 0];
    let mut stored = vec![9, 0, 0, 0];
    stored.extend(point);
    let array = agree(
        &Kind::Geometry,
        Wire::Prefixed(4),
        &[(&stored, bytes(point))],
    );
    assert_eq!(array.as_binary::<i32>().value(0), [1, 1, 0, 0, 0]);
}

#[test]
fn labels() {
    let kind = Kind::Enum(members(&["a", "b,c"]));
    let array = agree(
        &kind,
        Wire::Fixed(1),
        &[(&[2], bytes("b,c")), (&[1], bytes("a")), (&[0], bytes(""))],
    );
    assert_eq!(texts(&array), ["b,c", "a", ""]);
    let many: Vec<String> = (1..=64).map(|number| format!("m{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let array = agree(
        &Kind::Set(members(&many)),
        Wire::Fixed(8),
        &[
            (&[1, 0, 0, 0, 0, 0, 0, 0x80], bytes("m1,m64")),
            (&[0; 8], bytes("")),
        ],
    );
    assert_eq!(texts(&array), ["m1,m64", ""]);
    let past = [(Some(&[3][..]), bytes("x"))];
    assert!(one(&kind, Wire::Fixed(1), &past, 45).is_err());
}

#[test]
fn documents_and_addresses() {
    let document = [13, 0, 0, 0, 0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 1, 0, b'a'];
    let array = agree(
        &Kind::Json,
        Wire::Prefixed(4),
        &[
            (&document, bytes(r#"{"a": 1}"#)),
            (&[0, 0, 0, 0], bytes("null")),
        ],
    );
    assert_eq!(texts(&array), [r#"{"a": 1}"#, "null"]);
    let kind = Kind::JsonText(Charset::Utf8);
    agree(&kind, Wire::Prefixed(1), &[(b"\x02[]", bytes("[]"))]);
    let floats = [8, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0];
    let array = agree(
        &Kind::Vector,
        Wire::Prefixed(4),
        &[(&floats, bytes(&floats[4..]))],
    );
    assert_eq!(texts(&array), ["[1,-2.5]"]);
    agree(
        &Kind::Uuid,
        Wire::Prefixed(1),
        &[(
            &[2, 0x12, 0xab],
            bytes("12ab0000-0000-0000-0000-000000000000"),
        )],
    );
    agree(
        &Kind::Inet4,
        Wire::Prefixed(1),
        &[
            (&[0], bytes("0.0.0.0")),
            (&[4, 10, 0, 0, 255], bytes("10.0.0.255")),
        ],
    );
    agree(&Kind::Inet6, Wire::Prefixed(1), &[(&[0], bytes("::"))]);
}

#[test]
fn values_of_another_type_are_refused() {
    for (kind, value) in [
        (Kind::I32, bytes("1")),
        (Kind::I8, Value::Int(40_000)),
        (Kind::U64, Value::Int(-1)),
        (Kind::Date, bytes("2024-01-01")),
        (Kind::Time { fraction: 0 }, Value::Int(1)),
        (Kind::Text(Charset::Utf8), Value::Int(1)),
        (Kind::F32, Value::Double(1.0)),
        (Kind::Decimal(Packing::new(3, 1).unwrap()), bytes("x")),
    ] {
        let mut builder = RowBuilder::new(
            layout(&[(kind, Wire::Fixed(1))], false),
            options(ZeroDates::Null),
        )
        .unwrap();
        assert!(protocol_row(vec![value], 45).push_to(&mut builder).is_err());
        assert_eq!(builder.len(), 0);
    }
}
