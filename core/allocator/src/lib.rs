//! The program's allocator, set to give memory back at once.
//!
//! Rows pass in batches of megabytes, made on one thread and dropped on another. An allocator that
//! keeps what was dropped for a while holds several times what is in use; giving it back at once
//! took 40 MiB off the peak of a copy and no processor time. // G6
//!
//! It does not ask for huge pages either (the feature `no_thp` of the binding): memory that comes back
//! so often would be cleared in pieces of 2 MiB, most of which nobody uses. That was a quarter of the
//! processor time of a copy into a lake, a seventh of one into DuckDB, and 40 MiB of their peaks.

pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` of `mimalloc.h`, the same in versions 2 and 3; the binding lacks it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Has memory that is freed given back at once. Call it before there are other threads.
#[allow(unsafe_code)]
pub fn give_back_at_once() {
    // SAFETY: the option exists in every version of the library that the binding builds, and
    // setting an option has no precondition; before there are other threads nobody reads it.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(unsafe_code)]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reading an option has no precondition.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        assert!(
            (10..=1000).contains(&delay()),
            "the library's own delay, milliseconds"
        );
        super::give_back_at_once();
        assert_eq!(delay(), 0);
    }
}
