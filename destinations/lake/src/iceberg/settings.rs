//! Which catalog a lake of Iceberg has.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::{Error, ErrorKind, Result, Secret};

use super::Iceberg;
use super::catalog::{Auth, Aws, Base, Catalog, OAuth, Rest, Sql, in_folder};
use super::files::Files;
use super::managed::Managed;
use crate::config::{Config, Location};
use tributary_store::Settings;
use tributary_store::Store;

/// Where the catalog of an Iceberg lake is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CatalogSettings {
    /// A file of SQLite that this machine keeps; the default.
    Sqlite {
        /// The file; by default `_tributary/iceberg.db` in the lake's folder. A lake in a bucket
        /// needs one named here.
        #[serde(default)]
        path: Option<PathBuf>,
        /// The catalog's name in the file; `tributary` by default.
        #[serde(default)]
        name: Option<String>,
    },
    /// A database of PostgreSQL, which several machines can share.
    Postgres {
        /// Its address: `postgres://user:password@host:5432/database`.
        url: Secret,
        /// The catalog's name in the database; `tributary` by default.
        #[serde(default)]
        name: Option<String>,
    },
    /// A server that speaks Iceberg's REST protocol.
    Rest {
        /// Its address, up to before `/v1`.
        uri: String,
        /// Which of its warehouses.
        #[serde(default)]
        warehouse: Option<String>,
        /// A token.
        #[serde(default)]
        token: Option<Secret>,
        /// Instead of a token: `id:secret`, for which tokens are given (OAuth 2).
        #[serde(default)]
        credential: Option<Secret>,
        /// Where tokens are given; by default the catalog itself gives them.
        #[serde(default)]
        oauth2_server_uri: Option<String>,
        /// What tokens are asked for; `catalog` by default.
        #[serde(default)]
        scope: Option<String>,
    },
    /// The data catalog of AWS Glue.
    Glue {
        /// Its region; by default the lake's.
        #[serde(default)]
        region: Option<String>,
        /// The catalog; by default that of the account.
        #[serde(default)]
        catalog_id: Option<String>,
        /// Another address than AWS's own.
        #[serde(default)]
        uri: Option<String>,
    },
    /// S3 Tables: each table has a bucket of its own; the log and the state stay below the lake's `url`.
    S3Tables {
        /// The table bucket: `arn:aws:s3tables:eu-west-1:111122223333:bucket/lake`.
        table_bucket: String,
        /// Another address than AWS's own.
        #[serde(default)]
        uri: Option<String>,
    },
}

/// What can't be meant about the catalog; contacts nothing.
pub(crate) fn fault(config: &Config) -> Option<Error> {
    let location = config.location().ok()?;
    let is_folder = matches!(location, Location::Folder(_));
    match config.catalog.as_ref() {
        None | Some(CatalogSettings::Sqlite { path: None, .. }) => (!is_folder).then(nowhere),
        Some(CatalogSettings::Sqlite { .. } | CatalogSettings::Postgres { .. }) => None,
        Some(CatalogSettings::Rest { uri, .. }) if uri.contains("//s3tables.") => {
            Some(by_its_name())
        }
        Some(CatalogSettings::Rest {
            token, credential, ..
        }) => (token.is_some() && credential.is_some()).then(both),
        Some(CatalogSettings::Glue { .. } | CatalogSettings::S3Tables { .. }) if is_folder => {
            Some(only_in_buckets())
        }
        Some(CatalogSettings::Glue { region, uri, .. }) => {
            let is_known = uri.is_some() || region.is_some() || config.region.is_some();
            (!is_known).then(no_region)
        }
        Some(CatalogSettings::S3Tables { table_bucket, .. }) => region_of(table_bucket).err(),
    }
}

/// The tables of the lake that `config` describes.
pub(crate) fn connect(config: &Config, store: &Arc<dyn Store>) -> Result<Iceberg> {
    if let Some(CatalogSettings::S3Tables { table_bucket, uri }) = &config.catalog {
        return s3_tables(config, store, table_bucket, uri.as_deref());
    }
    let files = Files::new(store.clone());
    let default = CatalogSettings::Sqlite {
        path: None,
        name: None,
    };
    let catalog: Arc<dyn Catalog> = match config.catalog.as_ref().unwrap_or(&default) {
        CatalogSettings::Sqlite { path, name } => {
            let path = match (path, config.location()?) {
                (Some(path), _) => path.clone(),
                (None, Location::Folder(root)) => in_folder(&root),
                (None, Location::Bucket { .. }) => return Err(nowhere()),
            };
            let name = name.clone().unwrap_or_else(default_name);
            Arc::new(Sql::new(files.clone(), Base::File(path), name))
        }
        CatalogSettings::Postgres { url, name } => {
            let name = name.clone().unwrap_or_else(default_name);
            Arc::new(Sql::new(files.clone(), Base::postgres(url)?, name))
        }
        CatalogSettings::Rest {
            uri,
            warehouse,
            token,
            credential,
            oauth2_server_uri,
            scope,
        } => {
            let auth = match (token, credential) {
                (Some(token), None) => Auth::Token(token.clone()),
                (None, Some(credential)) => {
                    let (server, scope) = (oauth2_server_uri.clone(), scope.clone());
                    Auth::Client(OAuth::new(server, credential, scope)?)
                }
                (None, None) => Auth::None,
                (Some(_), Some(_)) => return Err(both()),
            };
            if uri.contains("//s3tables.") {
                return Err(by_its_name());
            }
            Arc::new(Rest::new(uri, warehouse.clone(), auth)?)
        }
        CatalogSettings::S3Tables { .. } => return Err(by_its_name()),
        CatalogSettings::Glue {
            region,
            catalog_id,
            uri,
        } => {
            if let Location::Folder(_) = config.location()? {
                return Err(only_in_buckets());
            }
            let region = region.clone().or_else(|| config.region.clone());
            let uri = match (uri, &region) {
                (Some(uri), _) => uri.clone(),
                (None, Some(region)) => format!("https://glue.{region}.amazonaws.com/iceberg"),
                (None, None) => return Err(no_region()),
            };
            let aws = Aws::new(Settings::new(&config.access())?, "glue", region);
            Arc::new(Rest::new(
                &uri,
                catalog_id.clone(),
                Auth::Aws(Box::new(aws)),
            )?)
        }
    };
    Ok(Iceberg::new(files, catalog))
}

fn default_name() -> String {
    "tributary".to_owned()
}

fn both() -> Error {
    Error::new(
        ErrorKind::Config,
        "the catalog has both a `token` and a `credential`",
    )
    .fix("Give one of them.")
}

/// Tables in buckets of their own, beside a lake that keeps the log.
fn s3_tables(
    config: &Config,
    store: &Arc<dyn Store>,
    table_bucket: &str,
    uri: Option<&str>,
) -> Result<Iceberg> {
    let region = region_of(table_bucket)?;
    let uri = uri.map_or_else(
        || format!("https://s3tables.{region}.amazonaws.com/iceberg"),
        str::to_owned,
    );
    let settings = Settings::new(&config.access())?;
    let aws = Aws::new(settings.clone(), "s3tables", Some(region.to_owned()));
    let catalog: Arc<dyn Catalog> = Arc::new(Rest::s3_tables(&uri, table_bucket, aws)?);
    let managed = Managed::new(store.clone(), catalog.clone(), settings);
    Ok(Iceberg::managed(Arc::new(managed), catalog))
}

/// The region in the ARN of a table bucket.
fn region_of(table_bucket: &str) -> Result<&str> {
    let parts: Vec<&str> = table_bucket.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "s3tables", region, _, bucket] if bucket.starts_with("bucket/") => Ok(region),
        _ => Err(no_table_bucket(table_bucket)),
    }
}

fn no_table_bucket(given: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`table_bucket: {given}` is not the ARN of a table bucket"),
    )
    .fix("Write `table_bucket: arn:aws:s3tables:REGION:ACCOUNT:bucket/NAME`.")
}

fn by_its_name() -> Error {
    Error::new(
        ErrorKind::Config,
        "the catalog is that of S3 Tables, whose requests are signed and whose tables have buckets of their own",
    )
    .fix("Write `catalog: {type: s3_tables, table_bucket: arn:aws:s3tables:REGION:ACCOUNT:bucket/NAME}`.")
}

fn only_in_buckets() -> Error {
    Error::new(
        ErrorKind::Config,
        "Glue and S3 Tables know tables in buckets only, and the lake is a folder",
    )
    .fix("Write `url: s3://bucket/prefix`, or leave `catalog` out.")
}

fn no_region() -> Error {
    Error::new(ErrorKind::Config, "the region of the catalog is not known")
        .fix("Set `region` of the lake or of its `catalog`.")
}

fn nowhere() -> Error {
    Error::new(
        ErrorKind::Config,
        "an Iceberg lake in a bucket needs a catalog",
    )
    .fix(
        "Set `catalog: {type: sqlite, path: /var/lib/tributary/catalog.db}` (a file that this \
         machine keeps), or `catalog: {type: rest, uri: …}`.",
    )
}
