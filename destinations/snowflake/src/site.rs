//! Where a load works: the account, the bucket, and names that no other load has.

use std::sync::Arc;

use tributary_model::{ConnectionName, Error, ErrorKind, Fence, LoadPlan, Result};
use tributary_sql::Dialect;
use tributary_store::staging::{Compression, Room};
use tributary_store::{S3Store, Store};
use uuid::Uuid;

use crate::client::{Client, Scope};
use crate::dialect::{SYSTEM, Snow};
use crate::error::DIVISION;
use crate::fence::{fenced, hold};
use crate::settings::Stage;
use crate::system::instant;

/// How the names of our staging tables begin.
pub(crate) const STAGED: &str = "staged_";

/// A destination.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) dialect: Snow,
    pub(crate) store: Arc<dyn Store>,
}

impl Place {
    pub(crate) fn new(client: Client) -> Self {
        let store = S3Store::new(client.settings.bucket.clone());
        let identifiers = client.settings.identifiers;
        Self {
            client,
            dialect: Snow { identifiers },
            store: Arc::new(store),
        }
    }

    /// The same, for statements of a connection, which are named after it in the query history.
    pub(crate) fn of(&self, connection: &ConnectionName) -> Self {
        Self {
            client: self.client.tagged(connection.as_str()),
            ..self.clone()
        }
    }

    /// The stage by which Snowflake reads the bucket.
    pub(crate) fn stage(&self) -> String {
        match &self.client.settings.stage {
            Stage::Named(name) => name.clone(),
            // Another address, or another integration, gets another stage: one that was made with a
            // wrong one would stay.
            Stage::Made(integration) => {
                let integration = integration.as_deref().unwrap_or_default();
                let of = format!("{}\n{integration}", self.client.settings.bucket_url);
                self.dialect.own(&format!("staging_{:08x}", hash(&of)))
            }
        }
    }

    /// The statement that makes the stage, where it is ours to make.
    pub(crate) fn create_stage(&self) -> Option<String> {
        let Stage::Made(integration) = &self.client.settings.stage else {
            return None;
        };
        let integration = integration
            .as_deref()
            .map(|name| format!(" STORAGE_INTEGRATION = {}", identifier(name)));
        let url = format!("{}/", self.client.settings.bucket_url);
        Some(format!(
            "CREATE STAGE IF NOT EXISTS {} URL = {}{}",
            self.stage(),
            self.dialect.literal(&url),
            integration.unwrap_or_default()
        ))
    }
}

/// A name of the user's, as Snowflake would read it without quotes where that can be.
fn identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let starts_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match starts_plain && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// FNV-1a, 32 bits.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The load that a table is written by.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) load: LoadPlan,
    pub(crate) fence: Fence,
    pub(crate) room: Room,
    /// What names of this attempt have in common.
    tag: String,
    names: usize,
}

impl Site {
    pub(crate) fn new(place: Place, load: LoadPlan, fence: Fence) -> Self {
        let room = Room::new(place.store.clone(), &load.load_id, Compression::Zstd);
        let tag = Uuid::new_v4().simple().to_string();
        Self {
            place,
            load,
            fence,
            room,
            tag: tag[..16].to_owned(),
            names: 0,
        }
    }

    pub(crate) fn dialect(&self) -> Snow {
        self.place.dialect
    }

    /// A name for a table that nobody else has.
    pub(crate) fn name(&mut self) -> String {
        self.names += 1;
        format!("{STAGED}{}_{}", self.tag, self.names)
    }

    /// When the load began, as SQL.
    pub(crate) fn synced_at(&self) -> String {
        instant(self.dialect(), self.load.started_at)
    }

    /// Runs statements that are not the load's transaction, each on its own.
    pub(crate) async fn run(&self, statements: &[String], doing: &str) -> Result<()> {
        let schema = self.dialect().fold(SYSTEM);
        self.place
            .client
            .run(Scope::Schema(&schema), statements, doing)
            .await
    }

    /// Runs a transaction that goes before the load's own, unless somebody else has taken over.
    pub(crate) async fn run_held(&self, statements: Vec<String>, doing: &str) -> Result<()> {
        let schema = self.dialect().fold(SYSTEM);
        let mut all = vec!["BEGIN TRANSACTION".to_owned()];
        all.extend(hold(self.dialect(), &self.fence));
        all.extend(statements);
        all.push("COMMIT".to_owned());
        let done = self.place.client.submit(Scope::Schema(&schema), &all).await;
        done.map(drop)
            .map_err(|failure| match failure.code.as_deref() {
                Some(DIVISION) => fenced(&self.fence.connection),
                _ => failure.error.context(doing),
            })
    }
}

/// The error of a load that has failed before.
pub(crate) fn over() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the load has failed before and was undone",
    )
}
