//! The parts list: every source and destination by name, once. Types are erased here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_config::{KindSpec, Kinds};
use tributary_model::{AnyDestination, AnySource, Destination, Error, ErrorKind, Result, Source};

/// The sources.
fn sources() -> Vec<Kind<dyn AnySource>> {
    vec![
        #[cfg(feature = "mysql")]
        source::<tributary_mysql::MySql>(),
    ]
}

/// The destinations.
fn destinations() -> Vec<Kind<dyn AnyDestination>> {
    vec![
        #[cfg(feature = "duckdb")]
        destination::<tributary_duckdb::DuckDb>(),
    ]
}

type Connecting<A> = Pin<Box<dyn Future<Output = Result<Arc<A>>> + Send>>;

/// One kind.
struct Kind<A: ?Sized> {
    spec: KindSpec,
    connect: fn(Value) -> Connecting<A>,
}

#[cfg_attr(not(feature = "mysql"), allow(dead_code))]
fn source<S: Source>() -> Kind<dyn AnySource> {
    Kind {
        spec: KindSpec::of::<S::Config>(S::KIND),
        connect: |settings| {
            Box::pin(async {
                let config = typed(S::KIND, settings)?;
                Ok(Arc::new(S::connect(config).await?) as Arc<dyn AnySource>)
            })
        },
    }
}

#[cfg_attr(not(feature = "duckdb"), allow(dead_code))]
fn destination<D: Destination>() -> Kind<dyn AnyDestination> {
    Kind {
        spec: KindSpec::of::<D::Config>(D::KIND),
        connect: |settings| {
            Box::pin(async {
                let config = typed(D::KIND, settings)?;
                Ok(Arc::new(D::connect(config).await?) as Arc<dyn AnyDestination>)
            })
        },
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
    let found = sources().into_iter().find(|known| known.spec.name == kind);
    (found.ok_or_else(|| unknown("source", kind))?.connect)(settings).await
}

/// Connects to a destination.
pub(crate) async fn connect_destination(
    kind: &str,
    settings: Value,
) -> Result<Arc<dyn AnyDestination>> {
    let found = destinations()
        .into_iter()
        .find(|known| known.spec.name == kind);
    (found.ok_or_else(|| unknown("destination", kind))?.connect)(settings).await
}

fn unknown(what: &str, kind: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("this program has no {what} of type `{kind}`"),
    )
    .fix("`tributary connectors` lists what it has.")
}
