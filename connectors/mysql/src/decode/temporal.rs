//! Dates and times: from packed bits, old decimals or protocol fields to days, microseconds, text.
//!
//! A [`Moment`] is the fields as stored; only [`Moment::is_real`] knows the calendar. What is not
//! real (`0000-00-00`, `2024-02-30`) is left to the column's policy.

use tributary_model::Result;

use super::reader::{big, little, malformed};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// Date and time as stored, real or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) micros: u32,
}

impl Moment {
    /// A DATE of 3 bytes.
    #[inline]
    #[must_use]
    pub(crate) fn from_date(stored: u64) -> Self {
        Self {
            year: (stored >> 9 & 0x7fff) as u16,
            month: (stored >> 5 & 0xf) as u8,
            day: (stored & 0x1f) as u8,
            ..Self::default()
        }
    }

    /// A DATETIME: 5 bytes and those of the fraction.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn from_packed(stored: &[u8], fraction: u8) -> Result<Self> {
        let (whole, rest) = split::<5>(stored)?;
        let bits = big(whole) & 0x7f_ffff_ffff;
        Ok(Self::from_bits(bits, read_fraction(rest, fraction)))
    }

    /// A DATETIME as JSON documents hold it: the packed bits and 24 bits of microseconds.
    #[must_use]
    pub(crate) fn from_packed_number(packed: u64) -> Self {
        Self::from_bits(packed >> 24, (packed & 0xff_ffff) as u32)
    }

    #[inline]
    fn from_bits(bits: u64, micros: u32) -> Self {
        let months = bits >> 22 & 0x1_ffff;
        Self {
            year: (months / 13) as u16,
            month: (months % 13) as u8,
            day: (bits >> 17 & 0x1f) as u8,
            hour: (bits >> 12 & 0x1f) as u8,
            minute: (bits >> 6 & 0x3f) as u8,
            second: (bits & 0x3f) as u8,
            micros,
        }
    }

    /// A DATETIME of before MySQL 5.6: the digits `YYYYMMDDhhmmss` as one number.
    #[must_use]
    pub(crate) fn from_legacy(digits: u64) -> Self {
        let two = |power: u64| (digits / power % 100) as u8;
        Self {
            year: (digits / 10_000_000_000 % 10_000) as u16,
            month: two(100_000_000),
            day: two(1_000_000),
            hour: two(10_000),
            minute: two(100),
            second: two(1),
            micros: 0,
        }
    }

    /// The fields of an instant, in UTC; an instant of 0 is the zero date.
    #[must_use]
    pub(crate) fn from_instant(instant: Instant) -> Self {
        if instant.is_zero() {
            return Self::default();
        }
        Self::from_epoch(instant.since_epoch())
    }

    /// The fields of so many microseconds since 1970-01-01.
    #[must_use]
    pub(crate) fn from_epoch(micros: i64) -> Self {
        let seconds = micros.div_euclid(SECOND);
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            micros: micros.rem_euclid(SECOND) as u32,
        }
    }

    /// Whether a calendar has it.
    #[inline]
    #[must_use]
    pub(crate) fn is_real(&self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && self.day >= 1
            && (self.day <= 28 || self.day <= days_in(self.year, self.month))
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && i64::from(self.micros) < SECOND
    }

    /// Days since 1970-01-01.
    #[inline]
    #[must_use]
    pub(crate) fn days(&self) -> i32 {
        // Years begin in March, so that the leap day is the last; 400 years are 146,097 days.
        let shift = i32::from(self.month <= 2);
        let year = i32::from(self.year) - shift;
        let month = i32::from(self.month) + 12 * shift - 3;
        let of_year = (153 * month + 2) / 5 + i32::from(self.day) - 1;
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
            - 719_468
    }

    /// Microseconds since 1970-01-01 00:00:00.
    #[inline]
    #[must_use]
    pub(crate) fn since_epoch(&self) -> i64 {
        let of_day =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        (i64::from(self.days()) * DAY + of_day) * SECOND + i64::from(self.micros)
    }

    /// Appends `YYYY-MM-DD`.
    pub(crate) fn write_date(&self, to: &mut Vec<u8>) {
        pair((self.year / 100) as u8, to);
        pair((self.year % 100) as u8, to);
        to.push(b'-');
        pair(self.month, to);
        to.push(b'-');
        pair(self.day, to);
    }

    /// Appends `YYYY-MM-DD hh:mm:ss` and the fraction.
    pub(crate) fn write(&self, fraction: u8, to: &mut Vec<u8>) {
        self.write_date(to);
        to.push(b' ');
        pair(self.hour, to);
        write_rest(self.minute, self.second, self.micros, fraction, to);
    }
}

/// A TIMESTAMP as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Unsigned: MariaDB's reach to 2106.
    pub(crate) seconds: u32,
    pub(crate) micros: u32,
}

impl Instant {
    /// 4 bytes and those of the fraction.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn from_packed(stored: &[u8], fraction: u8) -> Result<Self> {
        let (whole, rest) = split::<4>(stored)?;
        Ok(Self {
            seconds: u32::from_be_bytes(*whole),
            micros: read_fraction(rest, fraction),
        })
    }

    /// A TIMESTAMP of before MySQL 5.6.
    ///
    /// # Errors
    /// Fails where there are not 4 bytes.
    pub(crate) fn from_legacy(stored: &[u8]) -> Result<Self> {
        let (whole, _) = split::<4>(stored)?;
        Ok(Self {
            seconds: u32::from_le_bytes(*whole),
            micros: 0,
        })
    }

    /// Whether it is `0000-00-00 00:00:00`: the second 0 itself is no TIMESTAMP.
    #[inline]
    #[must_use]
    pub(crate) fn is_zero(&self) -> bool {
        self.seconds == 0 && self.micros == 0
    }

    /// Microseconds since 1970-01-01 00:00:00 UTC.
    #[inline]
    #[must_use]
    pub(crate) fn since_epoch(&self) -> i64 {
        i64::from(self.seconds) * SECOND + i64::from(self.micros)
    }
}

/// A TIME: up to 838 hours, of either sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) negative: bool,
    pub(crate) hours: u32,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) micros: u32,
}

impl Span {
    /// 3 bytes and those of the fraction, biased; a negative one is the complement of both at once.
    ///
    /// # Errors
    /// Fails where there are fewer.
    pub(crate) fn from_packed(stored: &[u8], fraction: u8) -> Result<Self> {
        let (whole, rest) = split::<3>(stored)?;
        let bytes = rest.len();
        if bytes > 3 || bytes != usize::from(fraction.div_ceil(2)) {
            return Err(malformed("a TIME has a fraction of the wrong size"));
        }
        let joined = (big(whole) << (8 * bytes) | big(rest)).cast_signed();
        let biased = joined - (0x80_0000 << (8 * bytes));
        let magnitude = biased.unsigned_abs();
        let fraction_bits = magnitude & ((1 << (8 * bytes)) - 1);
        let micros = scale_fraction(fraction_bits, bytes);
        Ok(Self::from_bits(
            biased < 0,
            magnitude >> (8 * bytes),
            micros,
        ))
    }

    /// A TIME as JSON documents hold it: the packed bits and 24 bits of microseconds.
    #[must_use]
    pub(crate) fn from_packed_number(packed: i64) -> Self {
        let magnitude = packed.unsigned_abs();
        Self::from_bits(packed < 0, magnitude >> 24, (magnitude & 0xff_ffff) as u32)
    }

    fn from_bits(negative: bool, bits: u64, micros: u32) -> Self {
        Self {
            negative,
            hours: (bits >> 12 & 0x3ff) as u32,
            minute: (bits >> 6 & 0x3f) as u8,
            second: (bits & 0x3f) as u8,
            micros,
        }
    }

    /// A TIME of before MySQL 5.6: the digits `hhmmss` as one signed number of 3 bytes.
    #[must_use]
    pub(crate) fn from_legacy(stored: &[u8]) -> Self {
        let number = sign_extended_24(little(stored) as u32);
        let digits = number.unsigned_abs();
        Self {
            negative: number < 0,
            hours: digits / 10_000,
            minute: (digits / 100 % 100) as u8,
            second: (digits % 100) as u8,
            micros: 0,
        }
    }

    /// Appends `[-]hh:mm:ss` and the fraction.
    pub(crate) fn write(&self, fraction: u8, to: &mut Vec<u8>) {
        if self.negative {
            to.push(b'-');
        }
        let hours = self.hours % 1000;
        if hours >= 100 {
            to.push(b'0' + (hours / 100) as u8);
        }
        pair((hours % 100) as u8, to);
        write_rest(self.minute, self.second, self.micros, fraction, to);
    }
}

/// A 24-bit number with its sign.
#[inline]
#[must_use]
pub(crate) fn sign_extended_24(number: u32) -> i32 {
    (number << 8).cast_signed() >> 8
}

fn split<const N: usize>(stored: &[u8]) -> Result<(&[u8; N], &[u8])> {
    stored
        .split_first_chunk::<N>()
        .ok_or_else(|| malformed("a date or time is cut short"))
}

/// The microseconds in 0 to 3 big-endian bytes of 2 digits each. The declared digits are fewer or
/// as many; what lies below them is zero.
#[inline]
fn read_fraction(stored: &[u8], fraction: u8) -> u32 {
    let bytes = usize::from(fraction.div_ceil(2)).min(stored.len());
    scale_fraction(big(&stored[..bytes]), bytes)
}

#[inline]
fn scale_fraction(number: u64, bytes: usize) -> u32 {
    let unit = match bytes {
        1 => 10_000,
        2 => 100,
        _ => 1,
    };
    (number as u32).wrapping_mul(unit)
}

fn write_rest(minute: u8, second: u8, micros: u32, fraction: u8, to: &mut Vec<u8>) {
    to.push(b':');
    pair(minute, to);
    to.push(b':');
    pair(second, to);
    if fraction > 0 {
        to.push(b'.');
        let mut unit = 100_000;
        for _ in 0..fraction.min(6) {
            to.push(b'0' + (micros / unit % 10) as u8);
            unit /= 10;
        }
    }
}

#[inline]
fn pair(number: u8, to: &mut Vec<u8>) {
    to.extend_from_slice(&[b'0' + number / 10 % 10, b'0' + number % 10]);
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// The date of a day counted from 1970-01-01.
fn date_of(days: i64) -> (u16, u8, u8) {
    let day = days + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month + 2) / 5 + 1;
    let civil = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(civil <= 2);
    (year as u16, civil as u8, day_of_month as u8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn days_count_from_1970() {
        let day = |year, month, day| Moment {
            year,
            month,
            day,
            ..Moment::default()
        };
        assert_eq!(day(1970, 1, 1).days(), 0);
        assert_eq!(day(1969, 12, 31).days(), -1);
        assert_eq!(day(2000, 2, 29).days(), 11_016);
        assert_eq!(day(1, 1, 1).days(), -719_162);
        assert_eq!(day(9999, 12, 31).days(), 2_932_896);
        for days in (-719_162..2_932_896).step_by(97) {
            let (year, month, of_month) = date_of(days);
            assert_eq!(i64::from(day(year, month, of_month).days()), days);
        }
        assert!(day(2024, 2, 29).is_real() && !day(2023, 2, 29).is_real());
        assert!(!day(2024, 0, 15).is_real() && !day(0, 0, 0).is_real());
        assert!(!day(1900, 2, 29).is_real() && !day(2024, 4, 31).is_real());
    }

    #[test]
    fn packed_datetimes() {
        // 1000-01-01 00:00:00 and 9999-12-31 23:59:59.999999, as mysqld stores them.
        let least = Moment::from_packed(&[0x8c, 0xb2, 0x42, 0x00, 0x00], 0).unwrap();
        assert_eq!(shown(|to| least.write(0, to)), "1000-01-01 00:00:00");
        let most = [0xfe, 0xf3, 0xff, 0x7e, 0xfb, 0x0f, 0x42, 0x3f];
        let most = Moment::from_packed(&most, 6).unwrap();
        assert_eq!(shown(|to| most.write(6, to)), "9999-12-31 23:59:59.999999");
        assert_eq!(most.since_epoch(), 253_402_300_799_999_999);
        let legacy = Moment::from_legacy(20_240_229_235_959);
        assert_eq!(shown(|to| legacy.write(0, to)), "2024-02-29 23:59:59");
        assert!(Moment::from_packed(&[0x80, 0, 0], 0).is_err());
    }

    #[test]
    fn spans_of_either_sign() {
        let cases: [(&[u8], u8, &str); 7] = [
            (&[0x80, 0, 0], 0, "00:00:00"),
            (&[0xb4, 0x6e, 0xfb], 0, "838:59:59"),
            (&[0x4b, 0x91, 0x05], 0, "-838:59:59"),
            (&[0x7f, 0xff, 0xff, 0xff], 2, "-00:00:00.01"),
            (&[0x7f, 0xff, 0xff, 0xff, 0xf6], 3, "-00:00:00.001"),
            (
                &[0x4b, 0x91, 0x04, 0xff, 0xff, 0xff],
                6,
                "-838:59:59.000001",
            ),
            (&[0x80, 0x10, 0x83, 0x0f, 0x42, 0x3f], 6, "01:02:03.999999"),
        ];
        for (stored, fraction, text) in cases {
            let span = Span::from_packed(stored, fraction).unwrap();
            assert_eq!(shown(|to| span.write(fraction, to)), text);
        }
        let legacy = Span::from_legacy(&(-8_385_959_i32).to_le_bytes()[..3]);
        assert_eq!(shown(|to| legacy.write(0, to)), "-838:59:59");
        assert!(Span::from_packed(&[0x80, 0, 0, 1], 0).is_err());
    }

    #[test]
    fn instants_are_unsigned() {
        let late = Instant::from_packed(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x42, 0x3f], 6).unwrap();
        assert_eq!(
            shown(|to| Moment::from_instant(late).write(6, to)),
            "2106-02-07 06:28:15.999999"
        );
        assert_eq!(Moment::from_instant(late).since_epoch(), late.since_epoch());
        let zero = Instant::from_packed(&[0, 0, 0, 0], 0).unwrap();
        assert!(zero.is_zero() && !Moment::from_instant(zero).is_real());
        assert_eq!(
            Instant::from_legacy(&[1, 0, 0, 0]).unwrap().since_epoch(),
            1_000_000
        );
    }
}
