//! The bytes of an answer, unwrapped to text.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use crate::manifest::stream::Decode;

/// Bytes of one answer at most, wrapped or not. // G6
pub(crate) const MAX_BODY: usize = 1 << 30;

/// The answer as the JSON text that pages are read from: lines and tables become a list.
///
/// # Errors
/// A sentence about what it is not.
pub(crate) fn unwrap(body: Vec<u8>, decode: &[Decode]) -> Result<String, String> {
    let mut bytes = body;
    for step in decode {
        match step {
            Decode::Gzip => bytes = gunzip(&bytes)?,
            Decode::Json => {}
            Decode::Ndjson => return lines(&text(bytes)?),
            Decode::Csv => return table(&bytes),
        }
    }
    text(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    // Without a second look at each byte where it is right, as it nearly always is.
    match simdutf8::basic::from_utf8(&bytes) {
        Ok(_) => String::from_utf8(bytes).map_err(|_| "the answer is not UTF-8".to_owned()),
        Err(_) => Err("the answer is not UTF-8".to_owned()),
    }
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    MultiGzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|why| format!("the answer is not gzip: {why}"))?;
    match plain.len() < MAX_BODY {
        true => Ok(plain),
        false => Err("the answer is too large once it is unpacked".to_owned()),
    }
}

/// Lines of JSON as one list.
fn lines(text: &str) -> Result<String, String> {
    let mut list = String::with_capacity(text.len() + 2);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        list.push(if list.is_empty() { '[' } else { ',' });
        list.push_str(line);
    }
    if list.is_empty() {
        list.push('[');
    }
    list.push(']');
    Ok(list)
}

/// A table with a heading as a list of objects whose values are texts.
fn table(bytes: &[u8]) -> Result<String, String> {
    let broken = |why: csv::Error| format!("the answer is not a table: {why}");
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let names = reader.headers().map_err(broken)?.clone();
    let names: Vec<String> = names
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    let mut list = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let fields = names.iter().zip(record.iter());
        let fields = fields.map(|(name, text)| (name.clone(), Value::from(text)));
        list.push(Value::Object(fields.collect::<Map<_, _>>()));
    }
    Ok(Value::Array(list).to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn wrapped_answers_become_lists() {
        let lines = b"{\"a\":1}\n\n{\"a\":2}\r\n".to_vec();
        let unwrapped = unwrap(gzip(&lines), &[Decode::Gzip, Decode::Ndjson]).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&unwrapped).unwrap()[1]["a"],
            2
        );
        let table = b"\xEF\xBB\xBFid,name\n1,\"x, y\"\n2,\n".to_vec();
        let unwrapped = unwrap(table, &[Decode::Csv]).unwrap();
        assert_eq!(
            unwrapped,
            r#"[{"id":"1","name":"x, y"},{"id":"2","name":""}]"#
        );
        assert_eq!(unwrap(Vec::new(), &[Decode::Ndjson]).unwrap(), "[]");
    }

    #[test]
    fn what_is_something_else_is_said_to_be() {
        assert!(unwrap(b"plain".to_vec(), &[Decode::Gzip]).is_err());
        assert!(unwrap(vec![0xff, 0xfe], &[]).is_err());
        assert!(unwrap(b"a,b\n1\n".to_vec(), &[Decode::Csv]).is_err());
    }
}
