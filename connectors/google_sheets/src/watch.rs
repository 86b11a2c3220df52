//! Whether a tab has to be read again, by what Drive says of the file.
//!
//! Drive is slow and does not tell everything. While people edit, it tells of a change some three
//! minutes late, and of what formulas compute by themselves it tells nothing. So a tab is passed over
//! only if the file is as it was *before* the last reading, that reading began long enough after the
//! last change for Drive to have told of all others, and it is not older than a day.

use crate::cursor::{Cursor, FileVersion};

/// How long Drive may keep a change to itself, with a margin; seconds.
const DELAY: i64 = 5 * 60;
/// How old a reading may be, for the sake of formulas; seconds. A little less than a day, so that a
/// daily schedule reads every time.
const DAY: i64 = 23 * 3600;

/// Whether what was read then is what is there now.
pub(crate) fn is_unchanged(cursor: &Cursor, file: &FileVersion, now: i64) -> bool {
    cursor.file.as_ref() == Some(file)
        && settles(file, cursor.read_at)
        && now - cursor.read_at < DAY
}

/// Whether a reading that began at `read_at` saw every change that Drive tells of as `file`.
pub(crate) fn settles(file: &FileVersion, read_at: i64) -> bool {
    read_at - file.modified > DELAY
}

/// Whether a cursor that says no more than the one before would let a later sync pass the tab over.
pub(crate) fn is_worth_storing(before: &Cursor, after: &Cursor, now: i64) -> bool {
    let passes = |cursor: &Cursor| {
        let file = after.file.as_ref();
        file.is_some_and(|file| is_unchanged(cursor, file, now))
    };
    passes(after) && !passes(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(modified: i64) -> FileVersion {
        FileVersion {
            modified,
            version: modified.to_string(),
        }
    }

    fn cursor(modified: i64, read_at: i64) -> Cursor {
        Cursor {
            file: Some(file(modified)),
            read_at,
            ..Cursor::default()
        }
    }

    #[test]
    fn a_tab_is_passed_over_only_if_nothing_can_have_been_missed() {
        let quiet = cursor(1_000, 1_000 + DELAY + 1);
        assert!(is_unchanged(&quiet, &file(1_000), 5_000));
        assert!(
            !is_unchanged(&quiet, &file(1_001), 5_000),
            "Drive tells of a change"
        );
        assert!(!is_unchanged(&quiet, &file(1_000), 100_000), "formulas");
        let soon = cursor(1_000, 1_000 + DELAY);
        assert!(
            !is_unchanged(&soon, &file(1_000), 5_000),
            "Drive may have kept one back"
        );
        let blind = Cursor::default();
        assert!(!is_unchanged(&blind, &file(0), 0), "Drive did not tell");
    }

    #[test]
    fn a_cursor_is_stored_again_only_where_it_saves_a_reading() {
        let soon = cursor(1_000, 1_100);
        let later = cursor(1_000, 2_000);
        assert!(is_worth_storing(&soon, &later, 2_000));
        assert!(!is_worth_storing(&soon, &cursor(1_000, 1_200), 1_200));
        assert!(!is_worth_storing(&later, &cursor(1_000, 3_000), 3_000));
        assert!(is_worth_storing(&later, &cursor(1_000, 90_000), 90_000));
    }
}
