//! Decimals as PostgreSQL's `numeric` travels: groups of four digits, aligned at the point.
//!
//! A number is `sum(group[i] * 10000^(weight - i))`; groups of zeros at either end are left out.

use arrow_buffer::i256;

/// Digits of a group.
const GROUP: usize = 4;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
/// Groups of the largest number of 64 bits.
const SMALL: usize = 5;
/// Bytes before the groups: the length, and what the type says of them.
const HEAD: usize = 12;

/// Numbers of one scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numeric {
    scale: u8,
    /// Groups after the point.
    fraction_groups: usize,
    /// What fills the last of them up: 10 to the power of its missing digits.
    filling: u64,
}

impl Numeric {
    /// Numbers with so many digits after the point.
    pub(crate) fn new(scale: u8) -> Self {
        let fraction_groups = usize::from(scale).div_ceil(GROUP);
        let missing = fraction_groups * GROUP - usize::from(scale);
        Self {
            scale,
            fraction_groups,
            filling: 10_u64.pow(u32::try_from(missing).unwrap_or_default()),
        }
    }

    /// Appends `unscaled` / 10^`scale`, with its length before it.
    pub(crate) fn write_i128(&self, unscaled: i128, out: &mut Vec<u8>) {
        let magnitude = unscaled.unsigned_abs();
        match self.filled(magnitude) {
            Some(filled) => self.write_filled(filled, unscaled < 0, out),
            None => self.write_digits(&magnitude.to_string(), unscaled < 0, out),
        }
    }

    /// The same for the widest decimals.
    pub(crate) fn write_i256(&self, unscaled: i256, out: &mut Vec<u8>) {
        let text = unscaled.to_string();
        let digits = text.trim_start_matches('-');
        self.write_digits(digits, text.starts_with('-'), out);
    }

    /// The same for what fits 64 bits.
    pub(crate) fn write_u64(&self, unscaled: u64, out: &mut Vec<u8>) {
        self.write_i128(unscaled.into(), out);
    }

    /// The digits with the last group filled up, where that fits 64 bits.
    fn filled(&self, magnitude: u128) -> Option<u64> {
        u64::try_from(magnitude).ok()?.checked_mul(self.filling)
    }

    /// Without a buffer, and without a division but by a constant: most numbers are short.
    fn write_filled(&self, filled: u64, negative: bool, out: &mut Vec<u8>) {
        let mut field = [0; HEAD + 2 * SMALL];
        let (mut rest, mut trailing, mut groups) = (filled, 0, 0);
        while rest > 0 && rest % 10_000 == 0 {
            (rest, trailing) = (rest / 10_000, trailing + 1);
        }
        let mut digits = [0_u16; SMALL];
        while rest > 0 {
            digits[groups] = (rest % 10_000) as u16;
            (rest, groups) = (rest / 10_000, groups + 1);
        }
        let weight = i16_of(trailing + groups) - i16_of(self.fraction_groups) - 1;
        self.head(&mut field, groups, weight, negative);
        let from_the_highest = digits[..groups].iter().rev();
        for (place, group) in field[HEAD..].chunks_exact_mut(2).zip(from_the_highest) {
            place.copy_from_slice(&group.to_be_bytes());
        }
        out.extend_from_slice(&field[..HEAD + 2 * groups]);
    }

    /// What stands before the groups.
    fn head(&self, field: &mut [u8], groups: usize, weight: i16, negative: bool) {
        let (weight, sign) = match (groups, negative) {
            (0, _) => (0, POSITIVE),
            (_, false) => (weight, POSITIVE),
            (_, true) => (weight, NEGATIVE),
        };
        let length = i32::from(8 + 2 * i16_of(groups));
        field[..4].copy_from_slice(&length.to_be_bytes());
        field[4..6].copy_from_slice(&i16_of(groups).to_be_bytes());
        field[6..8].copy_from_slice(&weight.to_be_bytes());
        field[8..10].copy_from_slice(&sign.to_be_bytes());
        field[10..12].copy_from_slice(&u16::from(self.scale).to_be_bytes());
    }

    fn write_digits(&self, digits: &str, negative: bool, out: &mut Vec<u8>) {
        let scale_digits = usize::from(self.scale);
        let padded = format!("{digits:0>width$}", width = scale_digits + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale_digits);
        let filled = whole.len().div_ceil(GROUP) * GROUP;
        let whole = format!("{whole:0>filled$}");
        let fraction = format!("{fraction:0<width$}", width = self.fraction_groups * GROUP);
        let groups = whole.as_bytes().chunks(GROUP);
        let groups: Vec<u16> = groups
            .chain(fraction.as_bytes().chunks(GROUP))
            .map(|group| {
                let digits = group.iter().map(|digit| u16::from(digit - b'0'));
                digits.fold(0, |value, digit| value * 10 + digit)
            })
            .collect();
        self.write_groups(&groups, negative, out);
    }

    /// Writes the groups, of which zeros at either end are left out.
    fn write_groups(&self, groups: &[u16], negative: bool, out: &mut Vec<u8>) {
        let whole_groups = groups.len() - self.fraction_groups;
        let leading = groups.iter().take_while(|group| **group == 0).count();
        let groups = &groups[leading..];
        let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
        let groups = &groups[..groups.len() - trailing];
        let weight = i16_of(whole_groups) - i16_of(leading) - 1;
        let mut head = [0; HEAD];
        self.head(&mut head, groups.len(), weight, negative);
        out.extend_from_slice(&head);
        for group in groups {
            out.extend_from_slice(&group.to_be_bytes());
        }
    }
}

/// A count of groups: of 77 digits at most.
fn i16_of(count: usize) -> i16 {
    i16::try_from(count).unwrap_or_default()
}

#[cfg(test)]
#[path = "numeric_tests.rs"]
mod tests;
