//! What stands in for warehouses that can't run here: Redshift, Snowflake and BigQuery.
