//! The same connections on engines that exist: a `tributary.yaml` becomes an Airflow DAG or
//! Kubernetes manifests.
//!
//! Pure: from an [`Outline`](tributary_config::Outline) to text. The same configuration gives the
//! same text, byte for byte, so that it can be kept under version control.
//!
//! Invariant: no name of the configuration can become code. In Python it stands in a literal, in
//! YAML in a quoted scalar, on a command line it is one argument that can't be an option. No secret
//! is written: the result names variables and files.
//!
//! Deliberately absent: whether the result works. Airflow and Kubernetes say that, in tests.

mod advice;
mod airflow;
mod cron;
mod kubernetes;
mod names;
mod runs;
mod sharing;

#[cfg(test)]
mod fixture;

pub use advice::advice;
pub use airflow::{Dag, dag, pools};
pub use kubernetes::{Cluster, Manifests, kubernetes};
