//! Listings, page by page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::object::iso;
use super::reply::{Outcome, Reply};
use super::request::Call;
use super::state::{Object, State};
use super::xml::Element;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// A line of a listing.
enum Entry<'a> {
    Object(&'a str, &'a Object),
    /// All keys with this beginning, up to and including the delimiter.
    Common(String),
}

impl Entry<'_> {
    /// Where the next page goes on: behind everything this line stands for.
    fn last(&self) -> String {
        match self {
            Self::Object(key, _) => (*key).to_owned(),
            // The greatest character makes it greater than every key with this beginning.
            Self::Common(prefix) => format!("{prefix}{}", char::MAX),
        }
    }
}

pub(super) fn objects(state: &State, call: &Call, page: usize) -> Outcome {
    let bucket = state.bucket(&call.bucket)?;
    let prefix = call.parameter("prefix").unwrap_or_default();
    let delimiter = call.parameter("delimiter").filter(|text| !text.is_empty());
    let after = match call.parameter("continuation-token") {
        Some(token) => percent_decode_str(token).decode_utf8_lossy().into_owned(),
        None => call.parameter("start-after").unwrap_or_default().to_owned(),
    };
    let most = call.number("max-keys", page)?.min(page);
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut more = false;
    let matching = bucket
        .objects
        .range(prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter(|(key, _)| **key > after);
    for (key, object) in matching {
        let entry = match common(key, prefix, delimiter) {
            Some(common) => {
                let same = |entry: &Entry<'_>| matches!(entry, Entry::Common(c) if *c == common);
                if entries.last().is_some_and(same) {
                    continue;
                }
                Entry::Common(common)
            }
            None => Entry::Object(key, object),
        };
        if entries.len() == most {
            more = true;
            break;
        }
        entries.push(entry);
    }
    let token = entries
        .last()
        .filter(|_| more)
        .map(|entry| utf8_percent_encode(&entry.last(), NON_ALPHANUMERIC).to_string());
    Ok(Reply::xml(&document(call, prefix, &entries, token, most)))
}

fn common(key: &str, prefix: &str, delimiter: Option<&str>) -> Option<String> {
    let delimiter = delimiter?;
    let at = key[prefix.len()..].find(delimiter)?;
    Some(key[..prefix.len() + at + delimiter.len()].to_owned())
}

fn document(
    call: &Call,
    prefix: &str,
    entries: &[Entry<'_>],
    token: Option<String>,
    most: usize,
) -> Element {
    let name = encoder(call);
    let mut document = Element::new("ListBucketResult")
        .text("Name", &call.bucket)
        .text("Prefix", name(prefix))
        .text("KeyCount", entries.len().to_string())
        .text("MaxKeys", most.to_string())
        .text("IsTruncated", token.is_some().to_string());
    if let Some(encoding) = call.parameter("encoding-type") {
        document = document.text("EncodingType", encoding);
    }
    if let Some(token) = token {
        document = document.text("NextContinuationToken", token);
    }
    document.children(entries.iter().map(|entry| {
        match entry {
            Entry::Object(key, object) => Element::new("Contents")
                .text("Key", name(key))
                .text("LastModified", iso(object))
                .text("ETag", format!("\"{}\"", object.etag))
                .text("Size", object.blob.len().to_string())
                .text("StorageClass", "STANDARD"),
            Entry::Common(common) => Element::new("CommonPrefixes").text("Prefix", name(common)),
        }
    }))
}

/// How keys are written: as asked for.
fn encoder(call: &Call) -> impl Fn(&str) -> String {
    let url = call.parameter("encoding-type") == Some("url");
    move |key| {
        if url {
            utf8_percent_encode(key, PLAIN).to_string()
        } else {
            key.to_owned()
        }
    }
}

pub(super) fn buckets(state: &State) -> Outcome {
    let buckets = state.buckets.keys().map(|name| {
        Element::new("Bucket")
            .text("Name", name)
            .text("CreationDate", "2026-01-01T00:00:00.000Z")
    });
    let document = Element::new("ListAllMyBucketsResult")
        .child(&Element::new("Owner").text("ID", "test"))
        .child(&Element::new("Buckets").children(buckets));
    Ok(Reply::xml(&document))
}
