//! Files of the bucket into a table of the warehouse.
//!
//! A manifest names the files of one load, each with its size: `COPY` then reads these and no others,
//! and fails where one is missing.

use bytes::Bytes;
use serde_json::json;
use tributary_model::failpoint::reach;
use tributary_model::{Error, Result};
use tributary_store::staging::{Room, StagedFile};

use crate::session::Session;
use crate::settings::Reader;
use crate::text::literal;

/// Copies `files` into `table`, a name that is quoted already.
pub(crate) async fn copy(
    session: &mut Session,
    room: &Room,
    reader: &Reader,
    table: &str,
    files: &[StagedFile],
) -> Result<()> {
    let manifest = room.put("manifest.json", manifest(files)?).await?;
    reach("redshift.before_copy")?;
    let statement = statement(table, &manifest, reader);
    session
        .run(&statement, "copying staged rows into the warehouse")
        .await?;
    reach("redshift.after_copy")
}

fn manifest(files: &[StagedFile]) -> Result<Bytes> {
    let entry = |file: &StagedFile| {
        json!({
            "url": file.address,
            "mandatory": true,
            "meta": {"content_length": file.bytes},
        })
    };
    let entries: Vec<_> = files.iter().map(entry).collect();
    let text = serde_json::to_vec(&json!({"entries": entries}));
    let text = text.map_err(|cause| Error::bug("a manifest can't be written").because(cause))?;
    Ok(Bytes::from(text))
}

/// It holds secrets where Redshift is given keys: it is never logged and stands in no message. // G8
fn statement(table: &str, manifest: &str, reader: &Reader) -> String {
    let reader = match reader {
        Reader::OwnRole => "IAM_ROLE default".to_owned(),
        Reader::Role(arn) => format!("IAM_ROLE {}", literal(arn)),
        Reader::Keys { id, secret, token } => {
            let secret = secret.expose();
            let mut keys = format!("aws_access_key_id={id};aws_secret_access_key={secret}");
            if let Some(token) = token {
                keys = format!("{keys};token={}", token.expose());
            }
            format!("CREDENTIALS {}", literal(&keys))
        }
    };
    let manifest = literal(manifest);
    format!("COPY {table} FROM {manifest} {reader} FORMAT AS PARQUET MANIFEST")
}

/// What Redshift has noted of files that it could not read, all of which are in a room; `None` where
/// it has noted nothing or does not tell.
pub(crate) async fn complaints(session: &mut Session, room: &str) -> Option<String> {
    let folder = room.trim_end_matches('/').rsplit('/').next()?;
    let like = literal(&format!("%{folder}%"));
    for sql in [
        format!(
            "SELECT column_name, error_message FROM sys_load_error_detail \
             WHERE file_name LIKE {like} LIMIT 3"
        ),
        format!(
            "SELECT colname, err_reason FROM stl_load_errors WHERE filename LIKE {like} LIMIT 3"
        ),
    ] {
        let Ok(rows) = session.ask(&sql, "asking what was wrong with a file").await else {
            continue; // which of the two there is depends on the kind of warehouse and the user's rights
        };
        let told = rows.iter().filter_map(|row| {
            let column = row.optional(0).ok()?.unwrap_or_default().trim().to_owned();
            let reason = row.optional(1).ok()?.unwrap_or_default().trim().to_owned();
            Some(format!("{column}: {reason}"))
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            return Some(told.join("; "));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::Secret;

    use super::*;

    #[test]
    fn redshift_reads_as_a_role_or_with_keys() {
        let text = |reader| statement("\"t\"", "s3://b/it's", &reader);
        assert_eq!(
            text(Reader::Role("arn:aws:iam::1:role/r".to_owned())),
            "COPY \"t\" FROM 's3://b/it''s' IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT AS PARQUET MANIFEST"
        );
        assert!(text(Reader::OwnRole).contains(" IAM_ROLE default "));
        let keys = Reader::Keys {
            id: "A".to_owned(),
            secret: Secret::new("s'"),
            token: Some(Secret::new("t")),
        };
        let expected = "CREDENTIALS 'aws_access_key_id=A;aws_secret_access_key=s'';token=t' FORMAT";
        assert!(text(keys).contains(expected));
    }

    #[test]
    fn a_manifest_says_how_large_each_file_is() {
        let file = StagedFile {
            key: "k".to_owned(),
            address: "s3://b/k".to_owned(),
            bytes: 7,
            rows: 1,
        };
        let read: serde_json::Value = serde_json::from_slice(&manifest(&[file]).unwrap()).unwrap();
        let entry = json!({
            "url": "s3://b/k",
            "mandatory": true,
            "meta": {"content_length": 7},
        });
        assert_eq!(read, json!({"entries": [entry]}));
    }
}
