//! Where objects are kept: what is asked of such a place, and S3 as one.
//!
//! A lake's tables are such objects, and what warehouses load from a bucket is put there as such.
//!
//! Deliberately absent: knowledge of what objects hold, and folders of this machine (the lake has
//! them, with promises of its own).

mod access;
mod error;
mod s3;
pub mod staging;
mod store;

pub use access::{Access, Encryption, bucket_of};
pub use error::local;
pub use s3::{S3Store, Settings, shared};
pub use store::{Completion, Entry, Object, Part, Pending, PutOutcome, Started, Store, Upload};
