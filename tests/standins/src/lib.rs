//! What stands in for warehouses that can't run here: Redshift, Snowflake and BigQuery.

pub mod bigquery;
pub mod redshift;
pub mod snowflake;
