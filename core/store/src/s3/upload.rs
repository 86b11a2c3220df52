//! Uploads in parts: invisible until they are completed, which anyone can do who knows the parts.
//!
//! **Completing again.** The SDK may send the same completion twice, and another process may have
//! sent it before us: then the upload is no more. Keys are never used twice, so that an object of
//! the right size under the key is what this upload came to.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tributary_model::{Error, ErrorKind, Result};

use super::S3Store;
use super::explain::Action;
use super::failure::{Failure, Nature};
use super::object::{encryption_of, time};
use crate::store::{Completion, Part, Pending, Started, Upload};

pub(super) async fn start(store: &S3Store, key: &str) -> Result<Upload> {
    let send = |client: Client| {
        let request = client
            .create_multipart_upload()
            .bucket(&store.settings.bucket)
            .key(store.key(key))
            .set_server_side_encryption(encryption_of(&store.settings))
            .set_ssekms_key_id(store.settings.kms_key.clone());
        async move { request.send().await.map_err(Failure::new) }
    };
    let reply = store
        .request(send)
        .await
        .map_err(|failure| store.explain(&failure, Action::Put, key))?;
    let id = reply.upload_id().ok_or_else(|| nameless("an upload"))?;
    Ok(Upload {
        key: key.to_owned(),
        id: id.to_owned(),
    })
}

fn nameless(what: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("the store gave {what} no name"),
    )
}

pub(super) async fn part(
    store: &S3Store,
    upload: &Upload,
    number: u32,
    bytes: Bytes,
) -> Result<Part> {
    let number_there = i32::try_from(number).unwrap_or(i32::MAX);
    let size = bytes.len() as u64;
    let send = |client: Client| {
        let request = client
            .upload_part()
            .bucket(&store.settings.bucket)
            .key(store.key(&upload.key))
            .upload_id(&upload.id)
            .part_number(number_there)
            .body(bytes.clone().into())
            .customize();
        // TLS and the checksum guard the bytes already; hashing them would cost as much as
        // compressing them did.
        let request = if store.settings.is_private() {
            request.disable_payload_signing()
        } else {
            request
        };
        async move { request.send().await.map_err(Failure::new) }
    };
    let reply = store.request(send).await.map_err(|failure| {
        if failure.nature() == Nature::NoSuchUpload {
            return gone(&failure).context(format!("writing {}", upload.key));
        }
        store.explain(&failure, Action::Put, &upload.key)
    })?;
    let etag = reply.e_tag().ok_or_else(|| nameless("a part"))?.to_owned();
    Ok(Part { number, etag, size })
}

fn gone(failure: &Failure) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the store has forgotten an upload that was under way",
    )
    .because(failure.text.clone())
    .fix(
        "Nothing, the load is made again; if it happens again, let no lifecycle rule abort uploads \
         that are younger than 7 days.",
    )
}

pub(super) async fn complete(store: &S3Store, pending: &Pending) -> Result<Completion> {
    let parts = pending.parts.iter().map(|part| {
        CompletedPart::builder()
            .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
            .e_tag(&part.etag)
            .build()
    });
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts.collect()))
        .build();
    let key = &pending.upload.key;
    let send = |client: Client| {
        let request = client
            .complete_multipart_upload()
            .bucket(&store.settings.bucket)
            .key(store.key(key))
            .upload_id(&pending.upload.id)
            .multipart_upload(parts.clone());
        async move { request.send().await.map_err(Failure::new) }
    };
    match store.request(send).await {
        Ok(_) => Ok(Completion::Done),
        // Some stores have no word for it but 404.
        Err(failure) if matches!(failure.nature(), Nature::NoSuchUpload | Nature::NoSuchKey) => {
            there(store, pending).await
        }
        Err(failure) => Err(store.explain(&failure, Action::Put, key)),
    }
}

/// Whether the object of an upload that is no more is there.
async fn there(store: &S3Store, pending: &Pending) -> Result<Completion> {
    let key = &pending.upload.key;
    let send = |client: Client| {
        let request = client
            .head_object()
            .bucket(&store.settings.bucket)
            .key(store.key(key));
        async move { request.send().await.map_err(Failure::new) }
    };
    let size = match store.request(send).await {
        Ok(reply) => reply.content_length(),
        Err(failure) if failure.nature() == Nature::NoSuchKey => None,
        Err(failure) => return Err(store.explain(&failure, Action::Get, key)),
    };
    let same = size.and_then(|size| u64::try_from(size).ok()) == Some(pending.size);
    Ok(if same {
        Completion::Done
    } else {
        Completion::Gone
    })
}

pub(super) async fn abort(store: &S3Store, upload: &Upload) -> Result<()> {
    let send = |client: Client| {
        let request = client
            .abort_multipart_upload()
            .bucket(&store.settings.bucket)
            .key(store.key(&upload.key))
            .upload_id(&upload.id);
        async move { request.send().await.map_err(Failure::new) }
    };
    match store.request(send).await {
        Ok(_) => Ok(()),
        Err(failure) if matches!(failure.nature(), Nature::NoSuchUpload | Nature::NoSuchKey) => {
            Ok(())
        }
        Err(failure) => Err(store.explain(&failure, Action::Abort, &upload.key)),
    }
}

pub(super) async fn started(store: &S3Store, prefix: &str) -> Result<Vec<Started>> {
    let mut found = Vec::new();
    let mut marker: (Option<String>, Option<String>) = (None, None);
    loop {
        let send = |client: Client| {
            let (key, id) = marker.clone();
            let request = client
                .list_multipart_uploads()
                .bucket(&store.settings.bucket)
                .prefix(store.key(prefix))
                .set_key_marker(key)
                .set_upload_id_marker(id);
            async move { request.send().await.map_err(Failure::new) }
        };
        let page = store
            .request(send)
            .await
            .map_err(|failure| store.explain(&failure, Action::ListUploads, prefix))?;
        let root = &store.settings.prefix;
        found.extend(page.uploads().iter().filter_map(|upload| {
            Some(Started {
                upload: Upload {
                    key: upload.key()?.strip_prefix(root.as_str())?.to_owned(),
                    id: upload.upload_id()?.to_owned(),
                },
                at: time(upload.initiated()),
            })
        }));
        if page.is_truncated() != Some(true) || page.next_key_marker().is_none() {
            return Ok(found);
        }
        marker = (
            page.next_key_marker().map(str::to_owned),
            page.next_upload_id_marker().map(str::to_owned),
        );
    }
}
