//! Preflight: every right, proved by using it. Nothing is left behind.

use std::path::Path;

use tributary_model::{Error, Report, Result};
use uuid::Uuid;

use crate::config::Location;
use crate::destination::Lake;
use crate::error::blocking;
use crate::folder::Folder;
use tributary_store::local;
use tributary_store::{Completion, PutOutcome, Store};

/// Looks at everything a load needs.
pub(crate) async fn check(lake: &Lake) -> Result<Report> {
    let mut report = Report::default();
    match lake.config.location()? {
        Location::Folder(path) => match trial_folder(&path).await {
            Err(error) => note(&mut report, "folder", &error),
            Ok(trial) => {
                report.pass(
                    "folder",
                    format!("{} can be written", lake.store.location()),
                );
                let store = Folder::new(trial.path());
                try_all(&mut report, &store, "").await;
            }
        },
        Location::Bucket { .. } => {
            let prefix = format!("_tributary/check/{}/", Uuid::new_v4().simple());
            try_all(&mut report, lake.store.as_ref(), &prefix).await;
        }
    }
    if let Some(iceberg) = &lake.iceberg {
        match iceberg.check().await {
            Ok(()) => report.pass("catalog", iceberg.describe()),
            Err(error) => note(&mut report, "catalog", &error),
        }
    }
    Ok(report)
}

/// A folder on the same disk that goes again: inside the lake, or where the lake is going to be.
async fn trial_folder(path: &Path) -> Result<tempfile::TempDir> {
    let path = path.to_owned();
    blocking(move || {
        let absolute = std::path::absolute(&path).map_err(|cause| local(&cause, &path))?;
        let there = absolute.ancestors().find(|folder| folder.exists());
        let there = there.unwrap_or(Path::new("/"));
        let trial = tempfile::Builder::new()
            .prefix(".tributary-check-")
            .tempdir_in(there);
        trial.map_err(|cause| local(&cause, there))
    })
    .await
}

async fn try_all(report: &mut Report, store: &dyn Store, prefix: &str) {
    match try_conditions(store, prefix).await {
        Ok(true) => report.pass("commits", "one of two writers wins, the other is told"),
        Ok(false) => report.fail(
            "commits",
            "the store does not know conditional writes (`If-None-Match: *`): two writers would not notice each other",
            "Use a store that does: AWS S3, MinIO, Cloudflare R2, Ceph or a local folder, in a recent version.",
        ),
        Err(error) => note(report, "commits", &error),
    }
    match try_upload(store, prefix).await {
        Ok(None) => report.pass("files", "an upload was hidden until it was complete"),
        Ok(Some(found)) => report.fail(
            "files",
            found,
            "Use a store whose multipart uploads behave as those of AWS S3.",
        ),
        Err(error) => note(report, "files", &error),
    }
}

/// Whether an object can be made only once.
async fn try_conditions(store: &dyn Store, prefix: &str) -> Result<bool> {
    let key = format!("{prefix}condition.json");
    let first = store.put_if_absent(&key, "1".into()).await?;
    let second = store.put_if_absent(&key, "2".into()).await;
    let kept = store.get(&key).await;
    store.delete(&key).await?;
    let is_exact = matches!(first, PutOutcome::Created | PutOutcome::Unknown(_))
        && matches!(second?, PutOutcome::Exists);
    Ok(is_exact && kept?.is_some_and(|object| object.bytes == "1"))
}

/// What is wrong with uploads, if anything is.
async fn try_upload(store: &dyn Store, prefix: &str) -> Result<Option<String>> {
    let key = format!("{prefix}upload.parquet");
    let upload = store.start_upload(&key).await?;
    let part = store.upload_part(&upload, 1, 0, "trial".into()).await?;
    let pending = store.seal(&upload, vec![part]).await?;
    let early = store.get(&key).await?.is_some();
    let done = store.complete(&pending).await?;
    let again = store.complete(&pending).await?;
    let listed = store.list(prefix, None, 10).await?;
    let there = listed
        .iter()
        .any(|entry| entry.key == key && entry.size == 5);
    store.delete(&key).await?;
    let given_up = store.start_upload(&key).await?;
    let found = store.uploads(prefix).await?;
    let found = found.iter().any(|started| started.upload == given_up);
    store.abort(&given_up).await?;
    Ok(if early {
        Some("an upload was visible before it was complete".to_owned())
    } else if done != Completion::Done || again != Completion::Done {
        Some("an upload could not be completed twice".to_owned())
    } else if !there {
        Some("an object that was just made is not in the listing".to_owned())
    } else if !found {
        Some("an upload that was just started is not among those under way".to_owned())
    } else {
        None
    })
}

fn note(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(requirement, found, error.help().unwrap_or_default());
}
