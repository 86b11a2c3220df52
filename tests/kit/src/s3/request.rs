//! A request, and which operation it is.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::reply::Refusal;

/// The operations that the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// All buckets.
    ListBuckets,
    /// A new bucket.
    CreateBucket,
    /// Whether a bucket is there.
    HeadBucket,
    /// Its region.
    GetBucketLocation,
    /// Its keys.
    ListObjects,
    /// Many keys at once.
    DeleteObjects,
    /// An object, or a range of it.
    GetObject,
    /// An object's headers.
    HeadObject,
    /// A whole object.
    PutObject,
    /// A copy of an object of the server.
    CopyObject,
    /// One key.
    DeleteObject,
    /// The beginning of an upload in parts.
    CreateUpload,
    /// A part.
    UploadPart,
    /// Its end: from here on the object is there.
    CompleteUpload,
    /// Its other end.
    AbortUpload,
    /// The uploads that are open.
    ListUploads,
    /// The parts of one.
    ListParts,
}

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// As it was sent, for the signature.
    pub(super) path: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(parts: Parts, body: Bytes) -> Result<Self, Refusal> {
        let path = parts.uri.path().to_owned();
        let host = text(&parts.headers, "host").unwrap_or_default();
        let (bucket, key) = place(host, &path)?;
        Ok(Self {
            bucket,
            key,
            query: query(parts.uri.query().unwrap_or_default())?,
            method: parts.method,
            path,
            headers: parts.headers,
            body,
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str, otherwise: usize) -> Result<usize, Refusal> {
        self.parameter(name).map_or(Ok(otherwise), |text| {
            let message = format!("{name} is not a number");
            text.parse()
                .map_err(|_| Refusal::bad("InvalidArgument", message))
        })
    }

    pub(super) fn upload_id(&self) -> &str {
        self.parameter("uploadId").unwrap_or_default()
    }

    pub(super) fn operation(&self) -> Result<Operation, Refusal> {
        let has = |name: &str| self.query.contains_key(name);
        let found = if self.bucket.is_empty() {
            (self.method == Method::GET).then_some(Operation::ListBuckets)
        } else if self.key.is_empty() {
            match self.method {
                Method::PUT => Some(Operation::CreateBucket),
                Method::HEAD => Some(Operation::HeadBucket),
                Method::POST if has("delete") => Some(Operation::DeleteObjects),
                Method::GET if has("location") => Some(Operation::GetBucketLocation),
                Method::GET if has("uploads") => Some(Operation::ListUploads),
                Method::GET => Some(Operation::ListObjects),
                _ => None,
            }
        } else {
            match self.method {
                Method::HEAD => Some(Operation::HeadObject),
                Method::GET if has("uploadId") => Some(Operation::ListParts),
                Method::GET => Some(Operation::GetObject),
                Method::PUT if has("uploadId") => Some(Operation::UploadPart),
                Method::PUT if self.header("x-amz-copy-source").is_some() => {
                    Some(Operation::CopyObject)
                }
                Method::PUT => Some(Operation::PutObject),
                Method::POST if has("uploads") => Some(Operation::CreateUpload),
                Method::POST if has("uploadId") => Some(Operation::CompleteUpload),
                Method::DELETE if has("uploadId") => Some(Operation::AbortUpload),
                Method::DELETE => Some(Operation::DeleteObject),
                _ => None,
            }
        };
        found.ok_or_else(|| {
            let message = "The specified method is not allowed against this resource.";
            Refusal::new(
                hyper::StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                message,
            )
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Bucket and key: the bucket is the first part of the host, where that is a name of a bucket
/// before `localhost` or `s3.`, else of the path.
fn place(host: &str, path: &str) -> Result<(String, String), Refusal> {
    let host = host.split(':').next().unwrap_or_default();
    let virtual_host = [".localhost", ".s3."]
        .iter()
        .find_map(|end| host.find(end).map(|at| &host[..at]))
        .filter(|bucket| !bucket.is_empty() && *bucket != "s3");
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match virtual_host {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    Ok((decoded(bucket)?, decoded(key)?))
}

pub(super) fn query(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(&value.replace('+', "%20"))?))
        })
        .collect()
}

pub(super) fn decoded(text: &str) -> Result<String, Refusal> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Refusal::bad("InvalidURI", "Couldn't parse the specified URI."))
}
