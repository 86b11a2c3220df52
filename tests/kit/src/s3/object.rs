//! Objects: get, head, put, copy, delete; and the bucket itself.

use std::collections::BTreeMap;

use hyper::StatusCode;

use super::checksum;
use super::condition::Conditions;
use super::reply::{Outcome, Refusal, Reply};
use super::request::{Call, decoded};
use super::service::Context;
use super::state::{Object, State};
use super::xml::Element;

/// What an object is stored with and handed out with.
pub(super) fn kept_headers(call: &Call) -> BTreeMap<String, String> {
    call.headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| {
            matches!(
                *name,
                "content-type" | "cache-control" | "x-amz-storage-class"
            ) || name.starts_with("x-amz-meta-")
                || name.starts_with("x-amz-server-side-encryption")
        })
        .filter_map(|(name, value)| Some((name.to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// The encryption that a store says it used.
pub(super) fn with_encryption(reply: Reply, headers: &BTreeMap<String, String>) -> Reply {
    headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-server-side-encryption"))
        .fold(reply, |reply, (name, value)| reply.header(name, value))
}

pub(super) fn put(state: &mut State, call: &Call, context: &Context) -> Outcome {
    let there = state.bucket(&call.bucket)?.objects.get(&call.key);
    context.conditions.allow_write(&call.key, there)?;
    let blob = state.keep(call.body.clone());
    let mut object = Object::new(blob, checksum::etag(&call.body), context.now);
    object.headers = kept_headers(call);
    object.crc32 = call.header("x-amz-checksum-crc32").map(str::to_owned);
    let reply = Reply::ok().header("etag", format!("\"{}\"", object.etag));
    let reply = with_encryption(reply, &object.headers);
    let bucket = state.bucket_mut(&call.bucket)?;
    bucket.objects.insert(call.key.clone(), object);
    Ok(reply)
}

pub(super) fn copy(state: &mut State, call: &Call, context: &Context) -> Outcome {
    let source = decoded(call.header("x-amz-copy-source").unwrap_or_default())?;
    let (bucket, key) = source
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(|| Refusal::bad("InvalidArgument", "the source names no key"))?;
    let mut object = find(state, bucket, key)?.clone();
    let there = state.bucket(&call.bucket)?.objects.get(&call.key);
    context.conditions.allow_write(&call.key, there)?;
    object.modified = context.now;
    let document = Element::new("CopyObjectResult")
        .text("ETag", format!("\"{}\"", object.etag))
        .text("LastModified", iso(&object));
    let bucket = state.bucket_mut(&call.bucket)?;
    bucket.objects.insert(call.key.clone(), object);
    Ok(Reply::xml(&document))
}

pub(super) fn delete(state: &mut State, call: &Call, conditions: &Conditions) -> Outcome {
    let there = state.bucket(&call.bucket)?.objects.get(&call.key);
    if there.is_some() {
        conditions.allow_write(&call.key, there)?;
    }
    state.bucket_mut(&call.bucket)?.objects.remove(&call.key);
    Ok(Reply::new(StatusCode::NO_CONTENT))
}

pub(super) fn get(state: &State, call: &Call, conditions: &Conditions) -> Outcome {
    let object = find(state, &call.bucket, &call.key)?;
    conditions.allow_read(object)?;
    let body = object.blob.read();
    let reply = described(object, call);
    let Some(range) = call.header("range") else {
        return Ok(reply.body(body));
    };
    let (from, to) = range_of(range, body.len()).ok_or_else(|| {
        let message = "The requested range is not satisfiable";
        Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
    })?;
    let said = format!("bytes {from}-{}/{}", to - 1, body.len());
    let mut reply = reply
        .header("content-range", said)
        .body(body.slice(from..to));
    reply.status = StatusCode::PARTIAL_CONTENT;
    // A checksum is one of the whole object.
    reply
        .headers
        .retain(|(name, _)| name != "x-amz-checksum-crc32");
    Ok(reply)
}

pub(super) fn head(state: &State, call: &Call, conditions: &Conditions) -> Outcome {
    let object = find(state, &call.bucket, &call.key)?;
    conditions.allow_read(object)?;
    Ok(described(object, call).header("content-length", object.blob.len().to_string()))
}

fn find<'a>(state: &'a State, bucket: &str, key: &str) -> Result<&'a Object, Refusal> {
    let objects = &state.bucket(bucket)?.objects;
    objects.get(key).ok_or_else(|| Refusal::no_such_key(key))
}

fn described(object: &Object, call: &Call) -> Reply {
    let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT");
    let mut reply = Reply::ok()
        .header("etag", format!("\"{}\"", object.etag))
        .header("last-modified", modified.to_string())
        .header("accept-ranges", "bytes");
    if let Some(crc32) = &object.crc32
        && call.header("x-amz-checksum-mode").is_some()
    {
        reply = reply
            .header("x-amz-checksum-crc32", crc32)
            .header("x-amz-checksum-type", "FULL_OBJECT");
    }
    object
        .headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.header(name, value))
}

/// The first byte and the one after the last.
fn range_of(header: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from, to) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (from, "") => (from.parse().ok()?, length),
        (from, to) => (
            from.parse().ok()?,
            (to.parse::<usize>().ok()? + 1).min(length),
        ),
    };
    (from < to && from < length).then_some((from, to))
}

pub(super) fn iso(object: &Object) -> String {
    object.modified.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(super) fn create_bucket(state: &mut State, call: &Call) -> Outcome {
    state.buckets.entry(call.bucket.clone()).or_default();
    Ok(Reply::ok().header("location", format!("/{}", call.bucket)))
}

pub(super) fn head_bucket(state: &State, call: &Call, region: &str) -> Outcome {
    state.bucket(&call.bucket)?;
    Ok(Reply::ok().header("x-amz-bucket-region", region))
}

pub(super) fn location(state: &State, call: &Call, region: &str) -> Outcome {
    state.bucket(&call.bucket)?;
    let mut reply = Reply::ok().header("content-type", "application/xml");
    reply.body = format!("<LocationConstraint>{region}</LocationConstraint>").into();
    Ok(reply)
}
