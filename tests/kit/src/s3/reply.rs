//! What goes back: a reply, or a refusal in S3's words.

use bytes::Bytes;
use hyper::StatusCode;

use super::xml::Element;

/// A reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn ok() -> Self {
        Self::new(StatusCode::OK)
    }

    pub(super) fn xml(document: &Element) -> Self {
        Self::ok()
            .header("content-type", "application/xml")
            .body(document.document())
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// An error of S3.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: String,
    /// More elements of the document, such as the region that would be right.
    more: Vec<(&'static str, String)>,
}

/// What an operation comes to.
pub(super) type Outcome = Result<Reply, Refusal>;

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            more: Vec::new(),
        }
    }

    pub(super) fn more(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn no_such_key(key: &str) -> Self {
        let message = "The specified key does not exist.";
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey", message).more("Key", key)
    }

    pub(super) fn no_such_bucket(bucket: &str) -> Self {
        let message = "The specified bucket does not exist";
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucket", message).more("BucketName", bucket)
    }

    pub(super) fn no_such_upload(id: &str) -> Self {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                       upload may have been aborted or completed.";
        Self::new(StatusCode::NOT_FOUND, "NoSuchUpload", message).more("UploadId", id)
    }

    pub(super) fn precondition(condition: &str) -> Self {
        let message = "At least one of the pre-conditions you specified did not hold";
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            message,
        )
        .more("Condition", condition)
    }

    pub(super) fn expired() -> Self {
        Self::bad("ExpiredToken", "The provided token has expired.")
    }

    pub(super) fn skewed() -> Self {
        let message = "The difference between the request time and the current time is too large.";
        Self::forbidden("RequestTimeTooSkewed", message)
    }

    pub(super) fn document(&self) -> Element {
        let start = Element::new("Error")
            .text("Code", self.code)
            .text("Message", &self.message);
        let all = self
            .more
            .iter()
            .fold(start, |document, (name, value)| document.text(name, value));
        all.text("RequestId", "TRIBUTARYTEST")
    }

    pub(super) fn reply(&self) -> Reply {
        let mut reply = Reply::xml(&self.document());
        reply.status = self.status;
        reply
    }
}
