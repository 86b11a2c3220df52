//! Character sets: from a column's stored bytes to UTF-8.
//!
//! The log carries text as it is stored, a snapshot as the server converts it. For UTF-8 and the
//! single-byte sets both are the same by construction, since the tables come from the servers. For
//! the others ([`Charset::same_as_server`] is false) a snapshot fetches the stored bytes, and this
//! module decodes them for both. Bytes that are no text become U+FFFD; they never fail a row.

use encoding_rs::Encoding;

use super::charset_odd as odd;
use super::charset_tables as tables;

/// How a column's text is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// utf8mb4, utf8mb3: as it is.
    Utf8,
    /// No text at all.
    Binary,
    /// ASCII below, `?` above.
    Ascii,
    /// ASCII below, a table above.
    Single(&'static [u16; 128]),
    /// swe7: ASCII with eleven exceptions below, `?` above.
    Swe7,
    /// Two bytes, big endian, pairs make no character.
    Ucs2,
    /// Two or four bytes, big endian.
    Utf16,
    /// Two or four bytes, little endian.
    Utf16Le,
    /// Four bytes, big endian.
    Utf32,
    /// The sets of East Asia, and where the servers' tables are others.
    Multi(&'static Encoding, Odd),
}

/// What a set has otherwise than its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Odd {
    /// Codes and their characters, sorted.
    codes: &'static [(u32, u16)],
    lead: Lead,
}

/// How many bytes a character has, by its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// Two from 81 on.
    Pairs,
    /// The same, but for the half-width letters from A0 to DF.
    Sjis,
    /// Two from A1 on and behind 8E, three behind 8F; from F5 on users' own.
    Euc,
}

/// Nothing else.
const SAME: Odd = Odd {
    codes: &[],
    lead: Lead::Pairs,
};

impl Charset {
    /// The set of this name in `information_schema`.
    #[must_use]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "utf8mb4" | "utf8mb3" | "utf8" => Self::Utf8,
            "binary" => Self::Binary,
            "ascii" => Self::Ascii,
            "swe7" => Self::Swe7,
            "ucs2" => Self::Ucs2,
            "utf16" => Self::Utf16,
            "utf16le" => Self::Utf16Le,
            "utf32" => Self::Utf32,
            "big5" => Self::Multi(encoding_rs::BIG5, Odd::of(&odd::BIG5, Lead::Pairs)),
            "gbk" => Self::Multi(encoding_rs::GBK, SAME),
            "gb2312" => Self::Multi(encoding_rs::GBK, Odd::of(&odd::GB2312, Lead::Pairs)),
            "gb18030" => Self::Multi(encoding_rs::GB18030, SAME),
            "euckr" => Self::Multi(encoding_rs::EUC_KR, SAME),
            "cp932" => Self::Multi(encoding_rs::SHIFT_JIS, SAME),
            "sjis" => Self::Multi(encoding_rs::SHIFT_JIS, Odd::of(&odd::SJIS, Lead::Sjis)),
            "ujis" => Self::Multi(encoding_rs::EUC_JP, Odd::of(&odd::UJIS, Lead::Euc)),
            "eucjpms" => Self::Multi(encoding_rs::EUC_JP, Odd::of(&odd::EUCJPMS, Lead::Euc)),
            other => Self::Single(table(other)?),
        })
    }

    /// The set that a collation belongs to, by the collation's number.
    #[must_use]
    pub(crate) fn from_collation(number: u64) -> Option<Self> {
        Self::from_name(name_of(number)?)
    }

    /// Whether the server's conversion to UTF-8 is known to give what [`Self::decode`] gives.
    #[must_use]
    pub(crate) fn same_as_server(self) -> bool {
        match self {
            Self::Utf8 | Self::Binary | Self::Ascii | Self::Single(_) | Self::Swe7 => true,
            Self::Ucs2 | Self::Utf16 | Self::Utf16Le | Self::Utf32 | Self::Multi(..) => false,
        }
    }

    /// Appends `stored` as UTF-8. What is no text in a set that is UTF-8 already passes as it is
    /// and is repaired when the column is finished.
    #[inline]
    pub(crate) fn decode(self, stored: &[u8], to: &mut Vec<u8>) {
        match self {
            Self::Utf8 | Self::Binary => to.extend_from_slice(stored),
            Self::Ascii => each(
                stored,
                to,
                |byte| if byte < 0x80 { byte.into() } else { '?' },
            ),
            Self::Single(table) => {
                if stored.is_ascii() {
                    to.extend_from_slice(stored);
                } else {
                    each(stored, to, |byte| single(table, byte));
                }
            }
            Self::Swe7 => each(stored, to, swe7),
            Self::Ucs2 => wide(stored, to, |pair| u32::from(u16::from_be_bytes(pair))),
            Self::Utf16 => utf16(stored, to, u16::from_be_bytes),
            Self::Utf16Le => utf16(stored, to, u16::from_le_bytes),
            Self::Utf32 => wide(stored, to, u32::from_be_bytes),
            Self::Multi(encoding, odd) => odd.decode(encoding, stored, to),
        }
    }

    /// Decodes a name or label.
    #[must_use]
    pub(crate) fn text(self, stored: &[u8]) -> String {
        let mut decoded = Vec::with_capacity(stored.len());
        self.decode(stored, &mut decoded);
        String::from_utf8(decoded)
            .unwrap_or_else(|not| String::from_utf8_lossy(not.as_bytes()).into_owned())
    }
}

impl Odd {
    const fn of(codes: &'static [(u32, u16)], lead: Lead) -> Self {
        Self { codes, lead }
    }

    fn decode(self, encoding: &'static Encoding, stored: &[u8], to: &mut Vec<u8>) {
        let plain = |run: &[u8], to: &mut Vec<u8>| {
            let (text, _) = encoding.decode_without_bom_handling(run);
            to.extend_from_slice(text.as_bytes());
        };
        if self.codes.is_empty() || stored.is_ascii() {
            return plain(stored, to);
        }
        let (mut run, mut at) = (0, 0);
        while at < stored.len() {
            let end = (at + self.lead.bytes(stored[at])).min(stored.len());
            if let Some(character) = self.character(&stored[at..end]) {
                plain(&stored[run..at], to);
                push(character, to);
                run = end;
            }
            at = end;
        }
        plain(&stored[run..], to);
    }

    /// The character of a code, where it is another than the encoding's.
    fn character(self, code: &[u8]) -> Option<char> {
        let number = match *code {
            [a, b] => u32::from_be_bytes([0, 0, a, b]),
            [a, b, c] => u32::from_be_bytes([0, a, b, c]),
            _ => return None,
        };
        if self.lead == Lead::Euc
            && let Some(own) = users_own(code)
        {
            return Some(own);
        }
        let found = self.codes.binary_search_by_key(&number, |(code, _)| *code);
        found
            .ok()
            .map(|place| or_replacement(self.codes[place].1.into()))
    }
}

impl Lead {
    fn bytes(self, first: u8) -> usize {
        match (self, first) {
            (_, 0..=0x80) => 1,
            (Self::Pairs, _) => 2,
            (Self::Sjis, 0xa0..=0xdf) => 1,
            (Self::Sjis, _) => 2,
            (Self::Euc, 0x8f) => 3,
            (Self::Euc, 0x8e | 0xa1..) => 2,
            (Self::Euc, _) => 1,
        }
    }
}

/// The rows of EUC from F5 on, which stand for the private characters from E000 on: first those of two
/// bytes, then those of three.
fn users_own(code: &[u8]) -> Option<char> {
    let (row, cell, base) = match *code {
        [row, cell] => (row, cell, 0xe000),
        [0x8f, row, cell] => (row, cell, 0xe000 + 10 * 94),
        _ => return None,
    };
    let within = (0xf5..=0xfe).contains(&row) && (0xa1..=0xfe).contains(&cell);
    within.then(|| or_replacement(base + u32::from(row - 0xf5) * 94 + u32::from(cell - 0xa1)))
}

fn each(stored: &[u8], to: &mut Vec<u8>, character: impl Fn(u8) -> char) {
    let mut buffer = [0; 4];
    for byte in stored {
        to.extend_from_slice(character(*byte).encode_utf8(&mut buffer).as_bytes());
    }
}

fn single(table: &[u16; 128], byte: u8) -> char {
    match byte {
        0..=0x7f => byte.into(),
        _ => or_replacement(table[usize::from(byte - 0x80)].into()),
    }
}

fn swe7(byte: u8) -> char {
    match byte {
        b'@' => 'É',
        b'[' => 'Ä',
        b'\\' => 'Ö',
        b']' => 'Å',
        b'^' => 'Ü',
        b'`' => 'é',
        b'{' => 'ä',
        b'|' => 'ö',
        b'}' => 'å',
        b'~' => 'ü',
        0x7f.. => '?',
        _ => byte.into(),
    }
}

fn wide<const N: usize>(stored: &[u8], to: &mut Vec<u8>, code: impl Fn([u8; N]) -> u32) {
    let (whole, rest) = stored.as_chunks::<N>();
    for chunk in whole {
        push(or_replacement(code(*chunk)), to);
    }
    if !rest.is_empty() {
        push(char::REPLACEMENT_CHARACTER, to);
    }
}

fn utf16(stored: &[u8], to: &mut Vec<u8>, unit: impl Fn([u8; 2]) -> u16) {
    let (whole, rest) = stored.as_chunks::<2>();
    for decoded in char::decode_utf16(whole.iter().map(|pair| unit(*pair))) {
        push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER), to);
    }
    if !rest.is_empty() {
        push(char::REPLACEMENT_CHARACTER, to);
    }
}

fn push(character: char, to: &mut Vec<u8>) {
    to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn or_replacement(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn table(name: &str) -> Option<&'static [u16; 128]> {
    Some(match name {
        "latin1" => &tables::LATIN1,
        "latin2" => &tables::LATIN2,
        "latin5" => &tables::LATIN5,
        "latin7" => &tables::LATIN7,
        "dec8" => &tables::DEC8,
        "hp8" => &tables::HP8,
        "cp850" => &tables::CP850,
        "cp852" => &tables::CP852,
        "cp866" => &tables::CP866,
        "cp1250" => &tables::CP1250,
        "cp1251" => &tables::CP1251,
        "cp1256" => &tables::CP1256,
        "cp1257" => &tables::CP1257,
        "koi8r" => &tables::KOI8R,
        "koi8u" => &tables::KOI8U,
        "greek" => &tables::GREEK,
        "hebrew" => &tables::HEBREW,
        "tis620" => &tables::TIS620,
        "armscii8" => &tables::ARMSCII8,
        "keybcs2" => &tables::KEYBCS2,
        "macce" => &tables::MACCE,
        "macroman" => &tables::MACROMAN,
        "geostd8" => &tables::GEOSTD8,
        _ => return None,
    })
}

/// The name of a collation's set. MariaDB's `nopad` collations are 1024 above those they copy, its
/// UCA 14.0.0 collations count by set in steps of 256 from 2048.
fn name_of(collation: u64) -> Option<&'static str> {
    Some(match collation {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "latin2",
        3 | 69 => "dec8",
        4 | 80 => "cp850",
        5 | 8 | 15 | 31 | 47..=49 | 94 => "latin1",
        6 | 72 => "hp8",
        7 | 74 => "koi8r",
        10 | 82 => "swe7",
        11 | 65 => "ascii",
        12 | 91 => "ujis",
        13 | 88 => "sjis",
        14 | 23 | 50..=52 => "cp1251",
        16 | 71 => "hebrew",
        18 | 89 => "tis620",
        19 | 85 => "euckr",
        20 | 41 | 42 | 79 => "latin7",
        22 | 75 => "koi8u",
        24 | 86 => "gb2312",
        25 | 70 => "greek",
        26 | 34 | 44 | 66 | 99 => "cp1250",
        28 | 87 => "gbk",
        29 | 58 | 59 => "cp1257",
        30 | 78 => "latin5",
        32 | 64 => "armscii8",
        33 | 76 | 83 | 192..=223 | 576..=607 | 2048..=2303 => "utf8mb3",
        35 | 90 | 128..=159 | 640..=671 | 2560..=2815 => "ucs2",
        36 | 68 => "cp866",
        37 | 73 => "keybcs2",
        38 | 43 => "macce",
        39 | 53 => "macroman",
        40 | 81 => "cp852",
        45 | 46 | 224..=247 | 255..=323 | 608..=639 | 2304..=2559 => "utf8mb4",
        54 | 55 | 101..=124 | 672..=703 | 2816..=3071 => "utf16",
        56 | 62 => "utf16le",
        57 | 67 => "cp1256",
        60 | 61 | 160..=183 | 736..=767 | 3072..=3327 => "utf32",
        63 => "binary",
        92 | 93 => "geostd8",
        95 | 96 => "cp932",
        97 | 98 => "eucjpms",
        248..=250 => "gb18030",
        nopad @ 1025..=1535 => return name_of(nopad - 1024),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, stored: &[u8]) -> String {
        Charset::from_name(name).map_or_else(String::new, |charset| charset.text(stored))
    }

    #[test]
    fn latin1_is_windows_1252_with_control_characters_in_the_holes() {
        assert_eq!(
            text("latin1", b"\xe9\x80\x99\x81\x8d\x8f\x90\x9d plain"),
            "é€™\u{81}\u{8d}\u{8f}\u{90}\u{9d} plain"
        );
    }

    #[test]
    fn one_of_each_sort() {
        assert_eq!(text("utf8mb3", "é".as_bytes()), "é");
        assert_eq!(text("ascii", b"a\xff"), "a?");
        assert_eq!(text("swe7", b"S|r@"), "SörÉ");
        assert_eq!(text("koi8r", b"\xf0\xd2\xc9"), "При");
        assert_eq!(text("ucs2", b"\x00\xe9\xd8\x3d\x00"), "é\u{fffd}\u{fffd}");
        assert_eq!(text("utf16", b"\xd8\x3d\xde\x00\xd8\x3d"), "😀\u{fffd}");
        assert_eq!(text("utf16le", b"\x3d\xd8\x00\xde"), "😀");
        assert_eq!(
            text("utf32", b"\x00\x01\xf6\x00\xff\xff\xff\xff"),
            "😀\u{fffd}"
        );
        assert_eq!(text("gbk", b"\xc4\xe3"), "你");
        assert_eq!(text("sjis", b"\x82\xa0"), "あ");
        assert_eq!(text("utf8mb4", b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn what_the_servers_have_otherwise_than_browsers() {
        assert_eq!(
            text("sjis", b"a\x81\x60\xb1\x82\xa0\x81\x5f"),
            "a\u{301c}\u{ff71}あ\\"
        );
        assert_eq!(text("cp932", b"\x81\x60"), "\u{ff5e}");
        assert_eq!(
            text("ujis", b"\xa1\xc1\x8e\xb1\xf5\xa1\x8f\xf5\xa1"),
            "\u{301c}\u{ff71}\u{e000}\u{e3ac}"
        );
        assert_eq!(text("eucjpms", b"\x8f\xa2\xc3"), "\u{ffe4}");
        assert_eq!(text("big5", b"\xa1\x45x"), "\u{2022}x");
        assert_eq!(text("gb2312", b"\xa1\xaa\xc4\xe3"), "\u{2015}你");
        assert_eq!(text("sjis", b"\x81"), "\u{fffd}");
        for table in [
            &odd::BIG5[..],
            &odd::SJIS,
            &odd::UJIS,
            &odd::EUCJPMS,
            &odd::GB2312,
        ] {
            assert!(table.is_sorted_by_key(|(code, _)| *code));
        }
    }

    #[test]
    fn collations_of_both_servers_find_their_set() {
        for (number, name) in [
            (8, "latin1"),
            (1032, "latin1"),
            (45, "utf8mb4"),
            (255, "utf8mb4"),
            (309, "utf8mb4"),
            (1070, "utf8mb4"),
            (2304, "utf8mb4"),
            (2048, "utf8mb3"),
            (1174, "ucs2"),
            (3271, "utf32"),
            (63, "binary"),
        ] {
            assert_eq!(name_of(number), Some(name), "{number}");
        }
        assert_eq!(Charset::from_collation(0), None);
        assert_eq!(Charset::from_collation(u64::MAX), None);
    }
}
