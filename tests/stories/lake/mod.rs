//! Lakes: files that any reader of Parquet understands, tables that any reader of Iceberg does.

mod change_log;
mod readers;
mod replace;
mod shop;
