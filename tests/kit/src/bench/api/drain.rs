//! The floors: the same pages, one after the other, downloaded and parsed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::process::{Meter, Spent};
use super::server::Client;

/// What is done with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Only what leads to the next one is looked for.
    Download,
    /// All of it is parsed into values.
    Parse,
}

/// What it took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Drained {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) spent: Spent,
}

impl How {
    pub(super) const ALL: [Self; 2] = [Self::Download, Self::Parse];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Parse => "parse",
        }
    }
}

/// Takes all pages.
pub(super) fn run(port: u16, how: How) -> Drained {
    let mut meter = Meter::default();
    let (records, bytes) = meter
        .count(|| drain(port, how))
        .unwrap_or_else(|error| panic!("draining the server: {error}"));
    Drained {
        records,
        bytes,
        spent: meter.spent(),
    }
}

fn drain(port: u16, how: How) -> std::io::Result<(u64, u64)> {
    let mut client = Client::connect(port)?;
    let (mut records, mut bytes, mut body) = (0, 0, Vec::new());
    let mut target = "/v1/charges?limit=100".to_owned();
    loop {
        client.get(&target, &mut body)?;
        bytes += body.len() as u64;
        let page = match how {
            How::Download => look(&body),
            How::Parse => parse(&body)?,
        };
        records += page.records;
        match page.last {
            Some(last) if page.more => {
                target = format!("/v1/charges?limit=100&starting_after={last}");
            }
            _ => return Ok((records, bytes)),
        }
    }
}

struct Page {
    records: u64,
    last: Option<String>,
    more: bool,
}

/// Finds the records by the text that each begins with.
fn look(body: &[u8]) -> Page {
    const BEGIN: &[u8] = br#"{"id":""#;
    let places: Vec<usize> = memchr::memmem::find_iter(body, BEGIN).collect();
    let last = places.last().map(|place| {
        let id = &body[place + BEGIN.len()..];
        let end = id.iter().position(|byte| *byte == b'"').unwrap_or(id.len());
        String::from_utf8_lossy(&id[..end]).into_owned()
    });
    Page {
        records: places.len() as u64,
        last,
        more: body.ends_with(br#""has_more":true}"#),
    }
}

fn parse(body: &[u8]) -> std::io::Result<Page> {
    let page: Value = serde_json::from_slice(body)?;
    let records = page["data"].as_array().map_or(&[][..], Vec::as_slice);
    let last = records.last().and_then(|record| record["id"].as_str());
    Ok(Page {
        records: records.len() as u64,
        last: last.map(str::to_owned),
        more: page["has_more"] == Value::Bool(true),
    })
}

#[cfg(test)]
mod tests {
    use super::super::records;
    use super::*;

    #[test]
    fn both_find_the_same_in_a_page() {
        for after in [None, Some(70)] {
            let body = records::page(170, after);
            let (looked, parsed) = (look(&body), parse(&body).expect("JSON"));
            assert_eq!(looked.records, parsed.records);
            assert_eq!((looked.last, looked.more), (parsed.last, parsed.more));
        }
    }
}
