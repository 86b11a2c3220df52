//! Bytes that have arrived, cut into packets where they lie.
//!
//! A packet is a header (three bytes of length, a number) and that many bytes; one of the greatest
//! length goes on in the next. Its parts are moved together when all of them are here, so that the
//! caller sees one stretch of bytes.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::LONGEST;

const HEADER: usize = 4;
/// What is read at once, and the room that is kept between rows of ordinary size. // G6
const ROOM: usize = 256 << 10;
/// The least that is worth a read.
const LEAST: usize = 32 << 10;
/// The longest packet, the protocol's limit: one row may be that long. // G6
const LIMIT: usize = 1 << 30;

/// The bytes.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes from `start` on the next packet takes, as far as is known.
    wanted: usize,
    current: Range<usize>,
    sequence: u8,
}

impl Inbox {
    /// Cuts the next packet off; `None` while a part of it is missing.
    pub(super) fn next(&mut self) -> io::Result<Option<Range<usize>>> {
        let Some((parts, end)) = self.whole() else {
            if self.wanted > LIMIT {
                let what = "the server sent a packet of more than 1 GiB";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            return Ok(None);
        };
        let body = self.start + HEADER;
        let length = if parts == 1 {
            end - body
        } else {
            self.join(parts)
        };
        (self.start, self.wanted) = (end, 0);
        self.current = body..body + length;
        Ok(Some(self.current.clone()))
    }

    /// How many parts the next packet has and where it ends, if all of it is here.
    fn whole(&mut self) -> Option<(usize, usize)> {
        let mut at = self.start;
        for parts in 1.. {
            let length = self.header(at)?;
            self.sequence = self.buffer[at + 3];
            at += HEADER + length;
            if at > self.end {
                self.wanted = at - self.start;
                return None;
            }
            if length < LONGEST {
                return Some((parts, at));
            }
        }
        None
    }

    fn header(&mut self, at: usize) -> Option<usize> {
        if at + HEADER > self.end {
            self.wanted = at + HEADER - self.start;
            return None;
        }
        let bytes = &self.buffer[at..];
        Some(usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16)
    }

    /// Moves the parts together; their length in all.
    fn join(&mut self, parts: usize) -> usize {
        let body = self.start + HEADER;
        let (mut from, mut to) = (self.start, body);
        for _ in 0..parts {
            let bytes = &self.buffer[from..];
            let length =
                usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16;
            self.buffer
                .copy_within(from + HEADER..from + HEADER + length, to);
            from += HEADER + length;
            to += length;
        }
        to - body
    }

    /// The bytes of a packet that was just cut off.
    pub(super) fn bytes(&self, packet: Range<usize>) -> &[u8] {
        &self.buffer[packet]
    }

    /// The bytes of the packet that was cut off last.
    pub(super) fn current(&self) -> &[u8] {
        &self.buffer[self.current.clone()]
    }

    /// The number of the packet that was cut off last.
    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Whether bytes have arrived that were not cut off.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads what has come, at least a byte. Safe to drop while it waits.
    pub(super) async fn fill(
        &mut self,
        from: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> io::Result<()> {
        self.make_room();
        match from.read(&mut self.buffer[self.end..]).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "connection closed",
            )),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    /// Room for the packet that is wanted, and for a read that is worth it.
    fn make_room(&mut self) {
        let held = self.end - self.start;
        let needed = self.wanted.max(held + LEAST);
        if self.buffer.len() - self.start < needed {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end, self.current) = (0, held, 0..0);
        }
        if self.buffer.len() < needed {
            // Doubled, so that a long row is not copied with every read.
            self.buffer
                .resize(needed.max(2 * self.buffer.len()).max(ROOM), 0);
        } else if self.start == 0 && self.buffer.len() > 4 * ROOM && needed <= ROOM {
            self.buffer.truncate(ROOM);
            self.buffer.shrink_to_fit();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(payload: &[u8], longest: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut parts = payload.chunks(longest);
        loop {
            let part = parts.next().unwrap_or_default();
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
            bytes.push(0);
            bytes.extend_from_slice(part);
            if part.len() < longest {
                return bytes;
            }
        }
    }

    async fn read_all(mut from: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut inbox = Inbox::default();
        let mut packets = Vec::new();
        loop {
            while let Some(packet) = inbox.next().unwrap() {
                packets.push(inbox.bytes(packet).to_vec());
            }
            if from.is_empty() {
                assert!(inbox.is_empty());
                return packets;
            }
            let (mut now, later) = from.split_at(piece.min(from.len()));
            while !now.is_empty() {
                inbox.fill(&mut now).await.unwrap();
            }
            from = later;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn packets_arrive_as_they_were_sent(
            lengths in prop::collection::vec(prop_oneof![0..300_usize, 30_000..300_000_usize], 1..8),
            piece in 1..70_000_usize,
        ) {
            let sent: Vec<Vec<u8>> = lengths
                .iter()
                .enumerate()
                .map(|(n, length)| (0..*length).map(|at| (at * 7 + n) as u8).collect())
                .collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|one| framed(one, LONGEST)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(read_all(&bytes, piece)), sent);
        }
    }

    #[tokio::test]
    async fn a_packet_of_several_parts_is_one() {
        for length in [
            LONGEST - 1,
            LONGEST,
            LONGEST + 1,
            2 * LONGEST,
            2 * LONGEST + 5,
        ] {
            let long: Vec<u8> = (0..length).map(|at| ((at * 31) >> 3) as u8).collect();
            let mut bytes = framed(&long, LONGEST);
            bytes.extend(framed(b"next", LONGEST));
            let packets = read_all(&bytes, 1 << 20).await;
            assert!(packets == [long, b"next".to_vec()], "{length}");
        }
    }

    #[tokio::test]
    async fn room_for_a_long_row_is_given_back() {
        let mut bytes = framed(&vec![1; 8 << 20], LONGEST);
        bytes.extend(framed(b"short", LONGEST));
        let mut from = &bytes[..];
        let mut inbox = Inbox::default();
        while !from.is_empty() {
            inbox.fill(&mut from).await.unwrap();
            while inbox.next().unwrap().is_some() {}
        }
        let mut more = &framed(b"later", LONGEST)[..];
        for _ in 0..200 {
            inbox.fill(&mut more).await.unwrap();
            while inbox.next().unwrap().is_some() {}
            more = &[0, 0, 0, 0];
        }
        assert!(inbox.buffer.len() <= 4 * ROOM, "{}", inbox.buffer.len());
        assert_eq!(
            inbox.fill(&mut &[][..]).await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
