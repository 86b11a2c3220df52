//! Lakes: files that any reader of Parquet understands, tables that any reader of Iceberg does.

mod change_log;
mod readers;
mod rejected;
mod replace;
mod shop;
