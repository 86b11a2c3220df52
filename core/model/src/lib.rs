//! The nouns of Tributary and the contracts between its parts.
//!
//! A [`Source`] pushes [`Message`]s into an [`Output`] and waits when it is full. The engine turns
//! the rows into [`Batch`]es shaped for the destination. A [`Destination`] takes them in a
//! consumable [`Load`] whose commit makes rows and [`State`] true together.
//!
//! Deliberately absent: any IO, any connector, any warehouse, YAML and HTTP.

mod clock;
mod data_type;
mod destination;
mod error;
pub mod failpoint;
mod fault;
mod message;
mod meter;
mod name;
mod options;
mod report;
mod schema;
mod secret;
mod source;
mod state;
mod vault;
mod verify;

pub use clock::now;
pub use data_type::DataType;
pub use destination::{
    Answer, AnyDestination, AnyLoad, Batch, Capabilities, Change, Commit, Deletes, Destination,
    Existing, Fence, Load, LoadPlan, LoadRecord, Mode, Old, Place, Receipt, StreamCount,
    TableColumn, TablePlan,
};
pub use error::{Context, Error, ErrorKind, Result};
pub use fault::{Fault, Severity};
pub use message::{
    ChangeBatch, Checkpoint, Message, Op, Phase, PositionRun, Positions, Presence, Rejection, Row,
    Rows, Scope, TruncateKind,
};
pub use meter::{LogStanding, Meter, meter, metered};
pub use name::{ConnectionName, StreamName, TableName};
pub use options::{
    ColumnRule, ConnectionOptions, FlushPolicy, Mask, RejectLimit, SchemaChanges, Selection,
    StreamOptions, matches,
};
pub use report::{Finding, Report, Verdict};
pub use schema::{Column, Stream, StreamSchema};
pub use secret::Secret;
pub use source::{
    AnyOutput, AnySource, Catalog, CursorSummary, Envelope, Output, ReadRequest, Source, Until,
};
pub use state::{Remembered, State};
pub use vault::Vault;
pub use verify::{Batches, KeyRange, ScanRequest, TableScan, View};
