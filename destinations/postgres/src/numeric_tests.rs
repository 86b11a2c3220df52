use proptest::prelude::*;

use super::*;

/// Reads what was written back into its digits.
fn read(bytes: &[u8]) -> String {
    let at = |index: usize| u16::from_be_bytes([bytes[index], bytes[index + 1]]);
    let length = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    assert_eq!(usize::try_from(length), Ok(bytes.len() - 4));
    let (count, weight, sign, scale) = (at(4), at(6).cast_signed(), at(8), usize::from(at(10)));
    let group = |place: i32| {
        let index = i32::from(weight) - place;
        match usize::try_from(index) {
            Ok(index) if index < usize::from(count) => at(12 + 2 * index),
            _ => 0,
        }
    };
    let mut text: String = (0..=i32::from(weight).max(0))
        .rev()
        .map(|place| format!("{:04}", group(place)))
        .collect();
    let fraction: String = (1..=20)
        .map(|place| format!("{:04}", group(-place)))
        .collect();
    text = text.trim_start_matches('0').to_owned();
    text.push_str(&fraction[..scale]);
    let digits = text.trim_start_matches('0');
    assert!(fraction[scale..].bytes().all(|digit| digit == b'0'));
    match (digits, sign) {
        ("", POSITIVE) => "0".to_owned(),
        (digits, POSITIVE) => digits.to_owned(),
        (digits, NEGATIVE) => format!("-{digits}"),
        other => panic!("{other:?}"),
    }
}

fn written(unscaled: i128, scale: u8) -> Vec<u8> {
    let mut out = Vec::new();
    Numeric::new(scale).write_i128(unscaled, &mut out);
    out
}

#[test]
fn a_number_travels_as_the_server_writes_it() {
    // select numeric_send(-12345.678): 0003 0001 4000 0003 0001 0929 1a7c
    let bytes = written(-12_345_678, 3);
    assert_eq!(
        bytes,
        [
            0, 0, 0, 14, 0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c
        ]
    );
    // Zero has no group, and no sign.
    assert_eq!(written(0, 2), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2]);
}

proptest! {
    #[test]
    fn every_number_keeps_its_digits(unscaled in any::<i128>(), scale in 0_u8..=38, shift in 0_u32..120) {
        let unscaled = unscaled >> shift;
        prop_assert_eq!(read(&written(unscaled, scale)), unscaled.to_string());
    }

    #[test]
    fn both_ways_write_the_same(unscaled in any::<i64>(), scale in 0_u8..=38) {
        let mut slow = Vec::new();
        let digits = unscaled.unsigned_abs().to_string();
        Numeric::new(scale).write_digits(&digits, unscaled < 0, &mut slow);
        prop_assert_eq!(written(unscaled.into(), scale), slow);
    }

    #[test]
    fn the_widest_keep_theirs(high in any::<i128>(), low in any::<u128>(), scale in 0_u8..=76) {
        let unscaled = i256::from_parts(low, high >> 4);
        let mut out = Vec::new();
        Numeric::new(scale).write_i256(unscaled, &mut out);
        prop_assert_eq!(read(&out), unscaled.to_string());
    }
}
