//! The parts list: every source and destination by name, once. Types are erased here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_config::{KindSpec, Kinds};
use tributary_model::{
    AnyDestination, AnySource, CursorSummary, Destination, Error, ErrorKind, Result, Source,
};

use crate::vault;

/// The sources.
fn sources() -> Vec<Kind<dyn AnySource>> {
    vec![
        #[cfg(feature = "mysql")]
        source::<tributary_mysql::MySql>(),
        #[cfg(feature = "stripe")]
        source::<tributary_stripe::Stripe>(),
        #[cfg(feature = "google_sheets")]
        source::<tributary_google_sheets::GoogleSheets>(),
        #[cfg(feature = "zendesk")]
        source::<tributary_zendesk::Zendesk>(),
        #[cfg(feature = "mailchimp")]
        source::<tributary_mailchimp::Mailchimp>(),
        #[cfg(feature = "rest")]
        source::<tributary_rest_connector::Rest>(),
    ]
}

/// The destinations.
fn destinations() -> Vec<Kind<dyn AnyDestination>> {
    vec![
        #[cfg(feature = "duckdb")]
        destination::<tributary_duckdb::DuckDb>(),
        #[cfg(feature = "lake")]
        destination::<tributary_lake::Lake>(),
        #[cfg(feature = "postgres")]
        destination::<tributary_postgres::Postgres>(),
        #[cfg(feature = "redshift")]
        destination::<tributary_redshift::Redshift>(),
        #[cfg(feature = "bigquery")]
        destination::<tributary_bigquery::BigQuery>(),
        #[cfg(feature = "snowflake")]
        destination::<tributary_snowflake::Snowflake>(),
    ]
}

/// The same, made once: what is asked for at every commit must not cost a schema.
static SOURCES: LazyLock<Vec<Kind<dyn AnySource>>> = LazyLock::new(sources);
static DESTINATIONS: LazyLock<Vec<Kind<dyn AnyDestination>>> = LazyLock::new(destinations);

type Connecting<A> = Pin<Box<dyn Future<Output = Result<Arc<A>>> + Send>>;

/// Reads a cursor and says what it says.
type Summarizing = fn(&Value) -> Result<Option<CursorSummary>, serde_json::Error>;

/// One kind.
struct Kind<A: ?Sized> {
    spec: KindSpec,
    connect: fn(Value) -> Connecting<A>,
    summarize: Summarizing,
}

#[cfg_attr(
    not(any(
        feature = "mysql",
        feature = "stripe",
        feature = "google_sheets",
        feature = "zendesk",
        feature = "mailchimp",
        feature = "rest"
    )),
    allow(dead_code)
)]
fn source<S: Source>() -> Kind<dyn AnySource> {
    Kind {
        spec: KindSpec::source::<S>(),
        connect: |settings| {
            Box::pin(async {
                let config = typed(S::KIND, settings)?;
                let source = S::connect(config).await?.with_vault(vault::open());
                Ok(Arc::new(source) as Arc<dyn AnySource>)
            })
        },
        summarize: |cursor| Ok(S::summarize(&serde_json::from_value(cursor.clone())?)),
    }
}

#[cfg_attr(
    not(any(
        feature = "bigquery",
        feature = "duckdb",
        feature = "lake",
        feature = "postgres",
        feature = "redshift",
        feature = "snowflake"
    )),
    allow(dead_code)
)]
fn destination<D: Destination>() -> Kind<dyn AnyDestination> {
    Kind {
        spec: KindSpec::destination::<D>(),
        connect: |settings| {
            Box::pin(async {
                let config = typed(D::KIND, settings)?;
                Ok(Arc::new(D::connect(config).await?) as Arc<dyn AnyDestination>)
            })
        },
        summarize: |_| Ok(None),
    }
}

fn typed<C: DeserializeOwned>(kind: &str, settings: Value) -> Result<C> {
    // G8: serde's own message may repeat a value.
    serde_json::from_value(settings).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            format!("these are not the settings of a {kind}"),
        )
        .fix(format!("`tributary connectors {kind}` lists them."))
    })
}

/// What can stand in a configuration.
pub(crate) fn kinds() -> Kinds {
    Kinds {
        sources: sources().into_iter().map(|kind| kind.spec).collect(),
        destinations: destinations().into_iter().map(|kind| kind.spec).collect(),
    }
}

/// Connects to a source.
pub(crate) async fn connect_source(kind: &str, settings: Value) -> Result<Arc<dyn AnySource>> {
    let found = SOURCES.iter().find(|known| known.spec.name == kind);
    (found.ok_or_else(|| unknown("source", kind))?.connect)(settings).await
}

/// What a cursor of a source of this kind says, where that can be put in words.
pub(crate) fn summarize(kind: &str, cursor: &Value) -> Option<CursorSummary> {
    let known = SOURCES.iter().find(|known| known.spec.name == kind)?;
    (known.summarize)(cursor).ok().flatten()
}

/// Refuses what is no cursor of a source of this kind.
pub(crate) fn check_cursor(kind: &str, cursor: &Value) -> Result<()> {
    let known = SOURCES.iter().find(|known| known.spec.name == kind);
    let read = known.map(|known| (known.summarize)(cursor)).transpose();
    read.map(drop).map_err(|why| {
        Error::new(
            ErrorKind::Config,
            format!("this is no cursor of a source of type {kind}"),
        )
        .because(why)
        .fix("Write it as `tributary state get` prints it; nothing was changed.")
    })
}

/// Connects to a destination.
pub(crate) async fn connect_destination(
    kind: &str,
    settings: Value,
) -> Result<Arc<dyn AnyDestination>> {
    let found = DESTINATIONS.iter().find(|known| known.spec.name == kind);
    (found.ok_or_else(|| unknown("destination", kind))?.connect)(settings).await
}

fn unknown(what: &str, kind: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("this program has no {what} of type `{kind}`"),
    )
    .fix("`tributary connectors` lists what it has.")
}
