//! Attacks on the guarantees of docs/GUARANTEES.md; the name of a test says which it attacks.

mod kills;
