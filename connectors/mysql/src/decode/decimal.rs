//! DECIMAL: from the log's packed digits, or the protocol's text, to Arrow's scaled integers.
//!
//! Packed: the digits before the point and after it each in groups of nine, big endian, four bytes
//! each; what is left over (before the point at its start, after it at its end) in as few bytes as
//! it needs. The first bit is inverted, and all bytes are complemented for a negative number.

use arrow_buffer::i256;
use tributary_model::Result;

use super::reader::{big, malformed};

/// Bytes that 0 to 9 digits take.
const BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const POWERS: [u64; 19] = powers();
/// The most digits an `i128` holds.
pub(crate) const NARROW: u8 = 38;

const fn powers() -> [u64; 19] {
    let mut powers = [1; 19];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
}

/// Where the groups of one `DECIMAL(precision, scale)` lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packing {
    precision: u8,
    scale: u8,
    /// Digits of the group before all whole groups, 0 to 8.
    lead: usize,
    /// Whole groups, before the point and after.
    groups: usize,
    /// Digits of the group after all whole groups, 0 to 8.
    tail: usize,
    size: usize,
}

impl Packing {
    /// The packing of a declared type.
    ///
    /// # Errors
    /// Fails where no server can have declared it.
    pub(crate) fn new(precision: u8, scale: u8) -> Result<Self> {
        if !(1..=65).contains(&precision) || scale > precision {
            return Err(malformed(format!(
                "a column is declared DECIMAL({precision},{scale})"
            )));
        }
        let (whole, fraction) = (usize::from(precision - scale), usize::from(scale));
        let (lead, tail) = (whole % 9, fraction % 9);
        let groups = whole / 9 + fraction / 9;
        Ok(Self {
            precision,
            scale,
            lead,
            groups,
            tail,
            size: BYTES[lead] + 4 * groups + BYTES[tail],
        })
    }

    /// Bytes of a value.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Digits in all.
    #[must_use]
    pub(crate) fn precision(&self) -> u8 {
        self.precision
    }

    /// Digits after the point.
    #[must_use]
    pub(crate) fn scale(&self) -> u8 {
        self.scale
    }

    /// The packed number times ten to the power of the scale; at most 38 digits.
    ///
    /// # Errors
    /// Fails where a group has more digits than it can, or bytes are missing.
    #[inline]
    pub(crate) fn narrow(&self, packed: &[u8]) -> Result<i128> {
        if self.precision <= 18 {
            let mut sum = 0_u64;
            let negative = self.each_group(packed, |power, group| {
                sum = sum.wrapping_mul(power).wrapping_add(group);
            })?;
            let sum = i128::from(sum);
            return Ok(if negative { -sum } else { sum });
        }
        let mut sum = 0_i128;
        let negative = self.each_group(packed, |power, group| {
            sum = sum
                .wrapping_mul(i128::from(power))
                .wrapping_add(i128::from(group));
        })?;
        Ok(if negative { -sum } else { sum })
    }

    /// As [`Self::narrow`], for any number of digits.
    ///
    /// # Errors
    /// As [`Self::narrow`].
    pub(crate) fn wide(&self, packed: &[u8]) -> Result<i256> {
        let mut sum = i256::ZERO;
        let negative = self.each_group(packed, |power, group| {
            sum = sum
                .wrapping_mul(i256::from_i128(power.into()))
                .wrapping_add(i256::from_i128(group.into()));
        })?;
        Ok(if negative { sum.wrapping_neg() } else { sum })
    }

    /// Calls `add` with ten to the power of a group's digits and the group, the highest first; says
    /// whether the number is negative.
    #[inline]
    fn each_group(&self, packed: &[u8], mut add: impl FnMut(u64, u64)) -> Result<bool> {
        if packed.len() != self.size {
            return Err(malformed(format!(
                "a DECIMAL({},{}) has {} bytes instead of {}",
                self.precision,
                self.scale,
                packed.len(),
                self.size
            )));
        }
        let negative = packed[0] & 0x80 == 0;
        let mask = if negative { u64::from(u32::MAX) } else { 0 };
        let mut at = 0;
        let mut first = 0x80_u64;
        let mut group = |digits: usize| {
            let bytes = BYTES[digits];
            if bytes == 0 {
                return true;
            }
            let bits = 8 * bytes;
            let stored = big(&packed[at..at + bytes]) ^ (mask & ((1 << bits) - 1));
            let value = stored ^ (first << (bits - 8));
            (at, first) = (at + bytes, 0);
            add(POWERS[digits], value);
            value < POWERS[digits]
        };
        let mut sound = group(self.lead);
        for _ in 0..self.groups {
            sound &= group(9);
        }
        sound &= group(self.tail);
        if sound {
            Ok(negative)
        } else {
            Err(malformed("a DECIMAL has a group of too many digits"))
        }
    }

    /// The number that `text` shows, scaled; at most 38 digits.
    ///
    /// # Errors
    /// Fails where it is no number of this type.
    #[inline]
    pub(crate) fn parse_narrow(&self, text: &[u8]) -> Result<i128> {
        match self.parse_usual(text) {
            Some(number) => Ok(number.into()),
            None => self.parse_unusual(text),
        }
    }

    /// A number as servers write it: all digits of the fraction, no more than 18 in all. `None`
    /// where it is anything else, be it right or wrong.
    #[inline]
    fn parse_usual(&self, text: &[u8]) -> Option<i64> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let scale = usize::from(self.scale);
        let point = usize::from(scale > 0);
        let whole_length = unsigned.len().checked_sub(scale + point)?;
        let (whole, rest) = unsigned.split_at_checked(whole_length)?;
        let fraction = match (point, rest) {
            (0, _) => rest,
            (_, [b'.', fraction @ ..]) => fraction,
            _ => return None,
        };
        let fits = whole_length + scale <= usize::from(self.precision).min(18);
        let (mut number, mut sound) = (0_i64, fits && whole_length > 0);
        for digit in whole.iter().chain(fraction) {
            let digit = digit.wrapping_sub(b'0');
            sound &= digit < 10;
            number = number.wrapping_mul(10).wrapping_add(digit.into());
        }
        sound.then_some(if negative { -number } else { number })
    }

    #[cold]
    fn parse_unusual(&self, text: &[u8]) -> Result<i128> {
        let mut sum = 0_i128;
        let negative = self.each_digits(text, |power, digits| {
            sum = sum
                .wrapping_mul(i128::from(power))
                .wrapping_add(i128::from(digits));
        })?;
        Ok(if negative { -sum } else { sum })
    }

    /// As [`Self::parse_narrow`], for any number of digits.
    ///
    /// # Errors
    /// As [`Self::parse_narrow`].
    pub(crate) fn parse_wide(&self, text: &[u8]) -> Result<i256> {
        let mut sum = i256::ZERO;
        let negative = self.each_digits(text, |power, digits| {
            sum = sum
                .wrapping_mul(i256::from_i128(power.into()))
                .wrapping_add(i256::from_i128(digits.into()));
        })?;
        Ok(if negative { sum.wrapping_neg() } else { sum })
    }

    /// Calls `add` with runs of at most 18 digits, the highest first; says whether the number is
    /// negative.
    fn each_digits(&self, text: &[u8], mut add: impl FnMut(u64, u64)) -> Result<bool> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let point = unsigned.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&unsigned[..point], &unsigned[point + 1..]),
            None => (unsigned, &unsigned[unsigned.len()..]),
        };
        // ZEROFILL pads with zeros beyond the precision.
        let padding = whole.iter().take_while(|byte| **byte == b'0').count();
        let whole = &whole[padding..];
        let scale = usize::from(self.scale);
        let sound = whole.len() + scale <= usize::from(self.precision)
            && fraction.len() <= scale
            && unsigned.iter().any(u8::is_ascii_digit)
            && whole.iter().chain(fraction).all(u8::is_ascii_digit);
        if !sound {
            return Err(malformed(format!(
                "`{}` is no DECIMAL({},{})",
                String::from_utf8_lossy(text),
                self.precision,
                self.scale
            )));
        }
        for run in whole.chunks(18).chain(fraction.chunks(18)) {
            let digits = run
                .iter()
                .fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
            add(POWERS[run.len()], digits);
        }
        let mut missing = scale - fraction.len();
        while missing > 0 {
            let step = missing.min(18);
            add(POWERS[step], 0);
            missing -= step;
        }
        Ok(negative)
    }
}

/// Appends a scaled integer, given as its decimal digits, with its point.
pub(crate) fn write(digits: &str, scale: u8, to: &mut Vec<u8>) {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    to.extend_from_slice(sign.as_bytes());
    let scale = usize::from(scale);
    let zeros = (scale + 1).saturating_sub(digits.len());
    let point = digits.len() + zeros - scale;
    for (index, digit) in std::iter::repeat_n(b'0', zeros)
        .chain(digits.bytes())
        .enumerate()
    {
        if index == point {
            to.push(b'.');
        }
        to.push(digit);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// Packs as a server does: the other direction, written from the format's description.
    pub(crate) fn pack(text: &str, precision: usize, scale: usize) -> Vec<u8> {
        let negative = text.starts_with('-');
        let text = text.trim_start_matches('-');
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole = format!("{whole:0>width$}", width = precision - scale);
        let whole = &whole[whole.len() - (precision - scale)..];
        let fraction = format!("{fraction:0<scale$}");
        let mut packed: Vec<u8> = Vec::new();
        let mut put = |digits: &str| {
            if !digits.is_empty() {
                let number: u32 = digits.parse().unwrap();
                packed.extend(&number.to_be_bytes()[4 - BYTES[digits.len()]..]);
            }
        };
        let lead = whole.len() % 9;
        put(&whole[..lead]);
        for start in (lead..whole.len()).step_by(9) {
            put(&whole[start..start + 9]);
        }
        for start in (0..fraction.len()).step_by(9) {
            put(&fraction[start..fraction.len().min(start + 9)]);
        }
        packed[0] ^= 0x80;
        if negative {
            packed.iter_mut().for_each(|byte| *byte = !*byte);
        }
        packed
    }

    fn both(text: &str, precision: u8, scale: u8) -> String {
        let packing = Packing::new(precision, scale).unwrap();
        let packed = pack(text, precision.into(), scale.into());
        assert_eq!(packed.len(), packing.size());
        let wide = packing.wide(&packed).unwrap();
        assert_eq!(wide, packing.parse_wide(text.as_bytes()).unwrap(), "{text}");
        if precision <= NARROW {
            let narrow = packing.narrow(&packed).unwrap();
            assert_eq!(narrow, packing.parse_narrow(text.as_bytes()).unwrap());
            assert_eq!(i256::from_i128(narrow), wide);
        }
        let mut shown = Vec::new();
        write(&wide.to_string(), scale, &mut shown);
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn the_short_way_says_what_the_long_one_says() {
        let texts = [
            "0.00",
            "-0.05",
            "1.5",
            "12",
            "12.",
            ".50",
            "-.50",
            "+1.50",
            "007.25",
            "99999.99",
            "100000.00",
            "1.234",
            "-",
            "",
            "1.2x",
            "1e2.00",
            "--1.00",
            "1,50",
            "-99999.99",
        ];
        let packings = [(7, 2), (2, 2), (5, 0), (18, 2), (30, 2), (38, 0)];
        for (precision, scale) in packings {
            let packing = Packing::new(precision, scale).unwrap();
            for text in texts {
                let short = packing.parse_narrow(text.as_bytes()).ok();
                let long = packing.parse_unusual(text.as_bytes()).ok();
                assert_eq!(short, long, "{text} as DECIMAL({precision},{scale})");
            }
        }
    }

    #[test]
    fn the_format_is_that_of_the_manual() {
        assert_eq!(
            pack("1234567890.1234", 14, 4),
            [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2]
        );
        assert_eq!(
            pack("-1234567890.1234", 14, 4),
            [0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d]
        );
    }

    #[test]
    fn both_paths_agree_on_extremes() {
        let nines = |whole: usize, fraction: usize| {
            format!("{}.{}", "9".repeat(whole), "9".repeat(fraction))
        };
        for (precision, scale) in [
            (65, 30),
            (38, 10),
            (38, 38),
            (18, 2),
            (19, 0),
            (9, 9),
            (10, 1),
        ] {
            let (p, s) = (usize::from(precision), usize::from(scale));
            let largest = nines(p - s, s);
            let shown = match (p - s, s) {
                (0, _) => format!("0{largest}"),
                (_, 0) => largest.trim_end_matches('.').to_owned(),
                _ => largest.clone(),
            };
            assert_eq!(both(&largest, precision, scale), shown);
            assert_eq!(
                both(&format!("-{largest}"), precision, scale),
                format!("-{shown}")
            );
        }
        assert_eq!(both("-0.01", 10, 2), "-0.01");
        assert_eq!(both("-0.00", 10, 2), "0.00");
        assert_eq!(both("000012.3", 5, 2), "12.30");
    }

    #[test]
    fn what_is_no_such_decimal_is_refused() {
        let packing = Packing::new(5, 2).unwrap();
        for text in ["", ".", "-", "1234", "1.234", "1x", "1.2.3", "--1"] {
            assert!(packing.parse_narrow(text.as_bytes()).is_err(), "{text}");
        }
        assert!(packing.narrow(&[0xff, 0xff, 0xff]).is_err());
        assert!(packing.narrow(&[0x80]).is_err());
        assert!(Packing::new(66, 0).is_err() && Packing::new(5, 6).is_err());
        assert!(Packing::new(0, 0).is_err());
    }
}
