//! What users do and what they get, one story each: the built program from the outside.
