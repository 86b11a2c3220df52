//! MariaDB's UUID, INET4 and INET6: from stored bytes to the text that the server prints.
//!
//! In the log they look like BINARY, trailing zero bytes cut off.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` as a UUID: lower case, hyphenated.
pub(crate) fn write_uuid(bytes: [u8; 16], to: &mut Vec<u8>) {
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            to.push(b'-');
        }
        to.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Appends `bytes` as an IPv4 address.
pub(crate) fn write_inet4(bytes: [u8; 4], to: &mut Vec<u8>) {
    to.extend_from_slice(std::net::Ipv4Addr::from(bytes).to_string().as_bytes());
}

/// Appends `bytes` as an IPv6 address, as the server prints it: the first longest run of zero words
/// is cut out, one alone too, and the last two words are dotted behind `::` and `::ffff:`.
pub(crate) fn write_inet6(bytes: [u8; 16], to: &mut Vec<u8>) {
    let words: [u16; 8] =
        std::array::from_fn(|word| u16::from_be_bytes([bytes[2 * word], bytes[2 * word + 1]]));
    let gap = longest_zeros(&words);
    let dotted = gap == (0, 6) || gap == (0, 5) && words[5] == 0xffff;
    let mut word = 0;
    while word < 8 {
        if gap.1 > 0 && word == gap.0 {
            to.extend_from_slice(if word == 0 { b"::" } else { b":" });
            word += gap.1;
        } else if word == 6 && dotted {
            return write_inet4([bytes[12], bytes[13], bytes[14], bytes[15]], to);
        } else {
            to.extend_from_slice(format!("{:x}", words[word]).as_bytes());
            if word < 7 {
                to.push(b':');
            }
            word += 1;
        }
    }
}

/// Where the first longest run of zeros begins, and how long it is.
fn longest_zeros(words: &[u16; 8]) -> (usize, usize) {
    let mut longest = (0, 0);
    let mut start = 0;
    for (index, word) in words.iter().enumerate() {
        if *word != 0 {
            start = index + 1;
        } else if index + 1 - start > longest.1 {
            longest = (start, index + 1 - start);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_server_prints_them() {
        // Left: the words; right: what MariaDB 10.11 prints for an INET6 of them.
        let cases: [([u16; 8], &str); 9] = [
            ([0; 8], "::"),
            ([0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            ([1, 0, 2, 3, 4, 5, 6, 7], "1::2:3:4:5:6:7"),
            ([0x2001, 0xdb8, 0, 0, 1, 0, 0, 0], "2001:db8:0:0:1::"),
            ([0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], "2001:db8::1:0:0:1"),
            ([0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304], "::ffff:1.2.3.4"),
            ([0, 0, 0, 0, 0, 0, 0x0102, 0x0304], "::1.2.3.4"),
            ([0, 0, 0, 0, 0, 0, 1, 0], "::0.1.0.0"),
            ([1, 2, 3, 4, 5, 6, 7, 8], "1:2:3:4:5:6:7:8"),
        ];
        for (words, expected) in cases {
            let mut bytes = [0; 16];
            for (to, word) in bytes.chunks_exact_mut(2).zip(words) {
                to.copy_from_slice(&word.to_be_bytes());
            }
            let mut shown = Vec::new();
            write_inet6(bytes, &mut shown);
            assert_eq!(String::from_utf8_lossy(&shown), expected);
        }
    }

    #[test]
    fn a_uuid_is_lower_case_and_hyphenated() {
        let mut shown = Vec::new();
        write_uuid(std::array::from_fn(|index| index as u8 * 17), &mut shown);
        assert_eq!(shown, b"00112233-4455-6677-8899-aabbccddeeff");
    }
}
