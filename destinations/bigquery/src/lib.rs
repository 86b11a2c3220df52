//! Google BigQuery as a destination.
