//! The log of MySQL and MariaDB to the last corner: servers that do not name columns, positions on
//! servers that change, readings without end, and every way of a first copy.

mod copies;
mod following;
mod history;
mod positions;
