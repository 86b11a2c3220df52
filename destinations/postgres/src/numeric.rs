//! Decimals as PostgreSQL's `numeric` travels: groups of four digits, aligned at the point.
//!
//! A number is `sum(group[i] * 10000^(weight - i))`; groups of zeros at either end are left out.

use arrow_buffer::i256;

/// Digits of a group.
const GROUP: usize = 4;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
/// The largest scale whose fraction, filled up to whole groups, fits 64 bits.
const FAST_SCALE: u8 = 16;

/// A reused buffer for the groups of one number.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<u16>);

impl Groups {
    /// Appends `unscaled` / 10^`scale`, with its length before it.
    pub(crate) fn write_i128(&mut self, unscaled: i128, scale: u8, out: &mut Vec<u8>) {
        let magnitude = unscaled.unsigned_abs();
        match u64::try_from(magnitude) {
            Ok(small) if scale <= FAST_SCALE => self.write_u64(small, unscaled < 0, scale, out),
            _ => self.write_digits(&magnitude.to_string(), unscaled < 0, scale, out),
        }
    }

    /// The same for the widest decimals.
    pub(crate) fn write_i256(&mut self, unscaled: i256, scale: u8, out: &mut Vec<u8>) {
        let text = unscaled.to_string();
        let digits = text.trim_start_matches('-');
        self.write_digits(digits, text.starts_with('-'), scale, out);
    }

    /// The same for what fits 64 bits.
    pub(crate) fn write_u64(
        &mut self,
        unscaled: u64,
        negative: bool,
        scale: u8,
        out: &mut Vec<u8>,
    ) {
        self.0.clear();
        let unit = 10_u64.pow(u32::from(scale));
        let (whole, part) = (unscaled / unit, unscaled % unit);
        let fraction_groups = usize::from(scale).div_ceil(GROUP);
        let filling = fraction_groups * GROUP - usize::from(scale);
        let mut fraction = part * 10_u64.pow(u32::try_from(filling).unwrap_or_default());
        let mut rest = whole;
        // The last group first.
        for _ in 0..fraction_groups {
            self.push(fraction % 10_000);
            fraction /= 10_000;
        }
        while rest > 0 {
            self.push(rest % 10_000);
            rest /= 10_000;
        }
        self.0.reverse();
        self.finish(fraction_groups, negative, scale, out);
    }

    fn write_digits(&mut self, digits: &str, negative: bool, scale: u8, out: &mut Vec<u8>) {
        self.0.clear();
        let scale_digits = usize::from(scale);
        let padded = format!("{digits:0>width$}", width = scale_digits + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale_digits);
        let filled = whole.len().div_ceil(GROUP) * GROUP;
        let whole = format!("{whole:0>filled$}");
        let fraction_groups = scale_digits.div_ceil(GROUP);
        let fraction = format!("{fraction:0<width$}", width = fraction_groups * GROUP);
        for group in whole
            .as_bytes()
            .chunks(GROUP)
            .chain(fraction.as_bytes().chunks(GROUP))
        {
            let value = group
                .iter()
                .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            self.push(value);
        }
        self.finish(fraction_groups, negative, scale, out);
    }

    fn push(&mut self, group: u64) {
        self.0.push(u16::try_from(group).unwrap_or_default());
    }

    /// Writes the groups, whose last `fraction_groups` stand after the point.
    fn finish(&self, fraction_groups: usize, negative: bool, scale: u8, out: &mut Vec<u8>) {
        let whole_groups = self.0.len() - fraction_groups;
        let leading = self.0.iter().take_while(|group| **group == 0).count();
        let groups = &self.0[leading..];
        let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
        let groups = &groups[..groups.len() - trailing];
        let weight = match groups.is_empty() {
            true => 0,
            false => i16_of(whole_groups) - i16_of(leading) - 1,
        };
        let sign = if negative && !groups.is_empty() {
            NEGATIVE
        } else {
            POSITIVE
        };
        let length = i32::from(8 + 2 * i16_of(groups.len()));
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&i16_of(groups.len()).to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&u16::from(scale).to_be_bytes());
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
