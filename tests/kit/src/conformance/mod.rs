//! One suite, many subjects: what every source and every destination must do.
//!
//! A destination's tests call [`destination`], a source's call [`source`]:
//!
//! ```no_run
//! # async fn example() {
//! use tributary_model::Destination;
//! use tributary_testkit::{conformance, memory::{Memory, MemoryConfig}};
//!
//! let memory = Memory::connect(MemoryConfig::default()).await.expect("memory");
//! conformance::destination(move || {
//!     let memory = memory.clone();
//!     async move { Ok(memory) }
//! })
//! .await;
//! # }
//! ```

mod destination;
mod source;

pub use destination::{destination, destination_of_texts};
pub use source::{Delivery, Expectation, source};
