//! Snowflake as a destination.
