//! The one integration test: the built program, and the repository itself.

mod tidy;
