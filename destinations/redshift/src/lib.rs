//! Amazon Redshift as a destination.
