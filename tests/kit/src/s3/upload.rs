//! Uploads in parts: seen by nobody before they are completed, gone once they are.

use std::collections::BTreeMap;

use bytes::BytesMut;
use hyper::StatusCode;

use super::checksum;
use super::condition::unquoted;
use super::object::{kept_headers, with_encryption};
use super::reply::{Outcome, Refusal, Reply};
use super::request::Call;
use super::service::Context;
use super::state::{Object, Part, State, Upload};
use super::xml::{self, Element};

/// S3's own limits.
const LEAST_PART: usize = 5 << 20;
const MOST_PARTS: u32 = 10_000;

pub(super) fn create(state: &mut State, call: &Call, context: &Context) -> Outcome {
    state.bucket(&call.bucket)?;
    let id = format!("upload-{:012}", state.number());
    let upload = Upload {
        key: call.key.clone(),
        headers: kept_headers(call),
        began: context.now,
        parts: BTreeMap::new(),
    };
    let document = Element::new("InitiateMultipartUploadResult")
        .text("Bucket", &call.bucket)
        .text("Key", &call.key)
        .text("UploadId", &id);
    let reply = with_encryption(Reply::xml(&document), &upload.headers);
    state.bucket_mut(&call.bucket)?.uploads.insert(id, upload);
    Ok(reply)
}

pub(super) fn part(state: &mut State, call: &Call, context: &Context) -> Outcome {
    let number = call.number("partNumber", 0)?;
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    if !(1..=MOST_PARTS).contains(&number) {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(Refusal::bad("InvalidArgument", message));
    }
    find(state, call)?;
    let etag = checksum::etag(&call.body);
    let part = Part {
        blob: state.keep(call.body.clone()),
        etag: etag.clone(),
        modified: context.now,
    };
    let bucket = state.bucket_mut(&call.bucket)?;
    if let Some(upload) = bucket.uploads.get_mut(call.upload_id()) {
        upload.parts.insert(number, part);
    }
    Ok(Reply::ok().header("etag", format!("\"{etag}\"")))
}

pub(super) fn complete(state: &mut State, call: &Call, context: &Context) -> Outcome {
    let upload = find(state, call)?;
    let there = state.bucket(&call.bucket)?.objects.get(&call.key);
    context.conditions.allow_write(&call.key, there)?;
    let parts = chosen(upload, &call.body)?;
    let etag = checksum::etag_of_parts(parts.iter().map(|part| part.etag.as_str()));
    let mut all = BytesMut::with_capacity(parts.iter().map(|part| part.blob.len()).sum());
    for part in &parts {
        all.extend_from_slice(&part.blob.read());
    }
    let headers = upload.headers.clone();
    let blob = state.keep(all.freeze());
    let mut object = Object::new(blob, etag.clone(), context.now);
    object.headers = headers;
    let document = Element::new("CompleteMultipartUploadResult")
        .text("Location", format!("/{}/{}", call.bucket, call.key))
        .text("Bucket", &call.bucket)
        .text("Key", &call.key)
        .text("ETag", format!("\"{etag}\""));
    let bucket = state.bucket_mut(&call.bucket)?;
    bucket.uploads.remove(call.upload_id());
    bucket.objects.insert(call.key.clone(), object);
    Ok(Reply::xml(&document))
}

/// The parts that the client lists, in its order, which must be theirs.
fn chosen<'a>(upload: &'a Upload, body: &[u8]) -> Result<Vec<&'a Part>, Refusal> {
    let text = String::from_utf8_lossy(body);
    let mut parts: Vec<&Part> = Vec::new();
    let mut before = 0;
    for wanted in xml::all(&text, "Part") {
        let number = xml::text(wanted, "PartNumber").and_then(|text| text.parse::<u32>().ok());
        let etag = xml::text(wanted, "ETag").map(|tag| unquoted(&tag));
        let (Some(number), Some(etag)) = (number, etag) else {
            return Err(Refusal::bad("MalformedXML", "a part has no number or tag"));
        };
        if number <= before {
            let message = "The list of parts was not in ascending order.";
            return Err(Refusal::bad("InvalidPartOrder", message));
        }
        before = number;
        let found = upload.parts.get(&number).filter(|part| part.etag == etag);
        parts.push(found.ok_or_else(|| {
            let message = "One or more of the specified parts could not be found.";
            Refusal::bad("InvalidPart", message).more("PartNumber", number.to_string())
        })?);
    }
    let (Some(_), rest) = (parts.last(), parts.len().saturating_sub(1)) else {
        return Err(Refusal::bad("MalformedXML", "no part is listed"));
    };
    if parts[..rest]
        .iter()
        .any(|part| part.blob.len() < LEAST_PART)
    {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(Refusal::bad("EntityTooSmall", message));
    }
    Ok(parts)
}

pub(super) fn abort(state: &mut State, call: &Call) -> Outcome {
    find(state, call)?;
    let bucket = state.bucket_mut(&call.bucket)?;
    bucket.uploads.remove(call.upload_id());
    Ok(Reply::new(StatusCode::NO_CONTENT))
}

fn find<'a>(state: &'a State, call: &Call) -> Result<&'a Upload, Refusal> {
    let id = call.upload_id();
    let uploads = &state.bucket(&call.bucket)?.uploads;
    uploads
        .get(id)
        .filter(|upload| upload.key == call.key)
        .ok_or_else(|| Refusal::no_such_upload(id))
}

pub(super) fn list(state: &State, call: &Call, page: usize) -> Outcome {
    let prefix = call.parameter("prefix").unwrap_or_default();
    let marker = (
        call.parameter("key-marker").unwrap_or_default(),
        call.parameter("upload-id-marker").unwrap_or_default(),
    );
    let most = call.number("max-uploads", page)?.min(page);
    let mut open: Vec<(&str, &str, &Upload)> = state
        .bucket(&call.bucket)?
        .uploads
        .iter()
        .map(|(id, upload)| (upload.key.as_str(), id.as_str(), upload))
        .filter(|(key, id, _)| key.starts_with(prefix) && after(marker, (key, id)))
        .collect();
    open.sort_by_key(|(key, id, _)| (*key, *id));
    let more = open.len() > most;
    open.truncate(most);
    let mut document = Element::new("ListMultipartUploadsResult")
        .text("Bucket", &call.bucket)
        .text("IsTruncated", more.to_string());
    if let (true, Some((key, id, _))) = (more, open.last()) {
        document = document
            .text("NextKeyMarker", key)
            .text("NextUploadIdMarker", id);
    }
    let uploads = open.iter().map(|(key, id, upload)| {
        let began = upload.began.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        Element::new("Upload")
            .text("Key", key)
            .text("UploadId", id)
            .text("Initiated", began.to_string())
    });
    Ok(Reply::xml(&document.children(uploads)))
}

/// Whether an upload comes behind the marker; a marker without an upload stands behind all
/// uploads of its key.
fn after(marker: (&str, &str), this: (&str, &str)) -> bool {
    match marker {
        ("", _) => true,
        (key, "") => this.0 > key,
        (key, id) => this > (key, id),
    }
}

pub(super) fn parts(state: &State, call: &Call, page: usize) -> Outcome {
    let upload = find(state, call)?;
    let marker = call.number("part-number-marker", 0)?;
    let marker = u32::try_from(marker).unwrap_or(u32::MAX);
    let most = call.number("max-parts", page)?.min(page);
    let mut parts: Vec<(&u32, &Part)> = upload
        .parts
        .iter()
        .filter(|(number, _)| **number > marker)
        .collect();
    let more = parts.len() > most;
    parts.truncate(most);
    let mut document = Element::new("ListPartsResult")
        .text("Bucket", &call.bucket)
        .text("Key", &call.key)
        .text("UploadId", call.upload_id())
        .text("IsTruncated", more.to_string());
    if let Some((last, _)) = parts.last().filter(|_| more) {
        document = document.text("NextPartNumberMarker", last.to_string());
    }
    let parts = parts.iter().map(|(number, part)| {
        let modified = part.modified.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        Element::new("Part")
            .text("PartNumber", number.to_string())
            .text("LastModified", modified.to_string())
            .text("ETag", format!("\"{}\"", part.etag))
            .text("Size", part.blob.len().to_string())
    });
    Ok(Reply::xml(&document.children(parts)))
}
