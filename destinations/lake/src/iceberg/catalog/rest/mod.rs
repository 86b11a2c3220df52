//! A catalog that speaks Iceberg's REST protocol: Polaris, Nessie, Lakekeeper, Unity and others,
//! and, with signed requests, AWS Glue and S3 Tables.
//!
//! What a reply means for a commit: 200, it is so; 409, a requirement does not hold; any other 4xx,
//! it is not so and never will be; 5xx or none, nobody knows. // G2
//!
//! Deliberately absent: credentials that a catalog hands out. The lake has its own.

mod auth;
mod http;

use std::sync::Arc;

use ::iceberg::spec::TableMetadata;
use ::iceberg::{TableRequirement, TableUpdate};
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tributary_model::{Error, ErrorKind, Result, TableName};

use super::{Catalog, Creation, Loaded, Outcome};
pub(crate) use auth::{Auth, Aws, OAuth};
use http::{Http, Reply, encoded};

/// A catalog behind an address.
#[derive(Debug)]
pub(crate) struct Rest {
    http: Http,
    warehouse: Option<String>,
    /// What all paths begin with, as the catalog said.
    prefix: OnceCell<String>,
    service: Service,
}

/// What else a catalog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Nothing.
    Catalog,
    /// The keeper of its tables' files, who must be told to leave them as they are.
    S3Tables,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    defaults: serde_json::Map<String, Value>,
    #[serde(default)]
    overrides: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LoadedTable {
    metadata_location: Option<String>,
    metadata: TableMetadata,
}

impl Rest {
    /// Talks to nobody yet.
    pub(crate) fn new(uri: &str, warehouse: Option<String>, auth: Auth) -> Result<Self> {
        Ok(Self {
            http: Http::new(uri, auth)?,
            warehouse,
            prefix: OnceCell::new(),
            service: Service::Catalog,
        })
    }

    /// S3 Tables, behind its address.
    pub(crate) fn s3_tables(uri: &str, table_bucket: &str, aws: Aws) -> Result<Self> {
        Ok(Self {
            service: Service::S3Tables,
            ..Self::new(uri, Some(table_bucket.to_owned()), Auth::Aws(Box::new(aws)))?
        })
    }

    /// Has S3 Tables leave a table's files as they are: what it put together would not be what the
    /// log names.
    async fn leave_files(&self, table: &TableName) -> Result<()> {
        let bucket = self.warehouse.as_deref().unwrap_or_default();
        let path = format!(
            "tables/{}/{}/{}/maintenance/icebergCompaction",
            encoded(bucket),
            encoded(&table.schema),
            encoded(&table.table)
        );
        let body = json!({"value": {"status": "disabled"}});
        let reply = self.http.send_beside(Method::PUT, &path, &body).await?;
        match reply.status.is_success() {
            true => Ok(()),
            false => Err(self.refused(&reply, "leaving the files of a table as they are")),
        }
    }

    /// Asks the catalog how it wants to be talked to, once.
    async fn prefix(&self) -> Result<&str> {
        let prefix = self.prefix.get_or_try_init(|| async {
            let query = match &self.warehouse {
                Some(warehouse) => format!("?warehouse={}", encoded(warehouse)),
                None => String::new(),
            };
            let reply = self
                .http
                .send(Method::GET, &format!("v1/config{query}"), None)
                .await?;
            let said: Configuration = self.expect(reply, "telling its configuration")?;
            let prefix = said.overrides.get("prefix").or(said.defaults.get("prefix"));
            Ok::<_, Error>(
                match prefix
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
                {
                    // It may be several levels deep, and stands as it is.
                    Some(prefix) => format!("v1/{}", prefix.trim_matches('/')),
                    None => "v1".to_owned(),
                },
            )
        });
        prefix.await.map(String::as_str)
    }

    async fn path(&self, table: &TableName) -> Result<String> {
        let (space, name) = (encoded(&table.schema), encoded(&table.table));
        Ok(format!(
            "{}/namespaces/{space}/tables/{name}",
            self.prefix().await?
        ))
    }

    async fn make_namespace(&self, name: &str) -> Result<()> {
        let path = format!("{}/namespaces", self.prefix().await?);
        let body = json!({"namespace": [name], "properties": {}});
        let reply = self.http.send(Method::POST, &path, Some(&body)).await?;
        match reply.status {
            StatusCode::CONFLICT => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(&reply, "making a namespace")),
        }
    }

    fn expect<T: for<'de> Deserialize<'de>>(&self, reply: Reply, doing: &str) -> Result<T> {
        if !reply.status.is_success() {
            return Err(self.refused(&reply, doing));
        }
        serde_json::from_slice(&reply.body).map_err(|cause| {
            let message = format!(
                "the catalog {} replied something else to {doing}",
                self.http.uri()
            );
            Error::new(ErrorKind::Malformed, message).because(cause)
        })
    }

    fn loaded(&self, reply: Reply) -> Result<Loaded> {
        let table: LoadedTable = self.expect(reply, "loading a table")?;
        Ok(Loaded {
            metadata: Arc::new(table.metadata),
            location: table.metadata_location.unwrap_or_default(),
        })
    }

    /// A reply that says no, by who must act.
    fn refused(&self, reply: &Reply, doing: &str) -> Error {
        let uri = self.http.uri();
        let (kind, fix) = match reply.status.as_u16() {
            401 | 403 | 419 => (
                ErrorKind::Access,
                "Give `credential` (id:secret) or `token` of a principal that may create and change \
                 tables in the warehouse."
                    .to_owned(),
            ),
            429 => (ErrorKind::Throttled(None), "Nothing, it is tried again.".to_owned()),
            500.. => (ErrorKind::Unavailable, format!("See how {uri} is.")),
            404 => (
                ErrorKind::Config,
                "Correct `uri` and `warehouse` of the catalog; `uri` ends before `/v1`.".to_owned(),
            ),
            _ => (ErrorKind::Incompatible, "See what the catalog says.".to_owned()),
        };
        Error::new(
            kind,
            format!("the catalog {uri} refused {doing} ({})", reply.status),
        )
        .because(reply.message())
        .fix(fix)
    }
}

#[async_trait]
impl Catalog for Rest {
    fn describe(&self) -> String {
        match &self.warehouse {
            Some(warehouse) => format!("REST, {}, warehouse `{warehouse}`", self.http.uri()),
            None => format!("REST, {}", self.http.uri()),
        }
    }

    async fn discard(&self, table: &TableName) -> Result<()> {
        let path = format!("{}?purgeRequested=true", self.path(table).await?);
        let reply = self.http.send(Method::DELETE, &path, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(&reply, "dropping an empty table")),
        }
    }

    async fn load(&self, table: &TableName) -> Result<Option<Loaded>> {
        let path = self.path(table).await?;
        let reply = self.http.send(Method::GET, &path, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.loaded(reply).map(Some),
        }
    }

    async fn create(&self, table: &TableName, creation: &Creation) -> Result<Loaded> {
        if self.service == Service::S3Tables {
            nameable(table)?;
        }
        self.make_namespace(&table.schema).await?;
        let path = format!(
            "{}/namespaces/{}/tables",
            self.prefix().await?,
            encoded(&table.schema)
        );
        let mut body = json!({
            "name": table.table,
            "schema": creation.schema,
            "stage-create": false,
            "properties": creation.properties,
        });
        if let Some(location) = &creation.location {
            body["location"] = json!(location);
        }
        // A reply that is lost leaves a table that is there, as does another's request.
        let reply = self.http.send(Method::POST, &path, Some(&body)).await;
        let created = match reply {
            Ok(reply) if reply.status.is_success() => self.loaded(reply),
            Ok(reply)
                if reply.status != StatusCode::CONFLICT && !reply.status.is_server_error() =>
            {
                Err(self.refused(&reply, "making a table"))
            }
            Ok(reply) => {
                let loaded = self.load(table).await?;
                loaded.ok_or_else(|| self.refused(&reply, "making a table"))
            }
            Err(error) => self.load(table).await?.ok_or(error),
        }?;
        if self.service == Service::S3Tables {
            self.leave_files(table).await?;
        }
        Ok(created)
    }

    async fn commit(
        &self,
        table: &TableName,
        _: &Loaded,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Outcome> {
        let body = json!({
            "identifier": {"namespace": [table.schema], "name": table.table},
            "requirements": requirements,
            "updates": wire(&updates)?,
        });
        let path = self.path(table).await?;
        let reply = match self.http.send(Method::POST, &path, Some(&body)).await {
            Ok(reply) => reply,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                return Ok(Outcome::Unknown(error));
            }
            Err(error) => return Err(error),
        };
        match reply.status {
            status if status.is_success() => Ok(Outcome::Done),
            StatusCode::CONFLICT => Ok(Outcome::Conflict),
            status if status.is_server_error() => {
                Ok(Outcome::Unknown(self.refused(&reply, "a commit")))
            }
            _ => Err(self.refused(&reply, "a commit")),
        }
    }
}

/// Refuses names that S3 Tables does not have.
fn nameable(table: &TableName) -> Result<()> {
    let is_fine = |name: &str| {
        let mut all = name.chars();
        !name.starts_with('_')
            && all.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if is_fine(&table.schema) && is_fine(&table.table) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!("S3 Tables can't have a table {table}"),
    )
    .because("its names have lowercase letters, digits and underscores only")
    .fix("Give the stream such a table: `streams: {…: {table: schema.name}}`."))
}

/// The updates as older catalogs want them, too: with the last id beside a schema.
fn wire(updates: &[TableUpdate]) -> Result<Value> {
    let mut json = serde_json::to_value(updates).map_err(|cause| {
        Error::bug("updates of a table can't be written as JSON").because(cause)
    })?;
    for (update, json) in updates
        .iter()
        .zip(json.as_array_mut().into_iter().flatten())
    {
        if let TableUpdate::AddSchema { schema } = update {
            json["last-column-id"] = json!(schema.highest_field_id());
        }
    }
    Ok(json)
}
