//! What every destination must do, by what it says it can do.
//!
//! Each check has a connection and tables of its own, so that all of them run in one place.

mod append;
mod beside;
mod clear;
mod evolution;
mod fence;
mod folding;
mod history;
mod merge;
mod names;
mod replace;
mod sizes;
mod state;
mod subject;
mod truncate;
mod types;

use std::future::Future;

use tributary_model::{Destination, Mode, Result};

use subject::Subject;

/// Holds a destination to the contract. `make` connects to the same place each time, as a new
/// process would; the suite never holds two at once.
///
/// # Panics
/// Panics where the destination breaks the contract.
pub async fn destination<D, F, M>(make: M)
where
    D: Destination,
    F: Future<Output = Result<D>> + Send + 'static,
    M: Fn() -> F + Send + Sync + 'static,
{
    destination_of_texts(usize::MAX, make).await;
}

/// The same for one that holds texts of at most so many bytes.
///
/// # Panics
/// Panics where the destination breaks the contract.
pub async fn destination_of_texts<D, F, M>(bytes: usize, make: M)
where
    D: Destination,
    F: Future<Output = Result<D>> + Send + 'static,
    M: Fn() -> F + Send + Sync + 'static,
{
    let subject = Subject::new(bytes, make);
    let modes = subject.connect().await.capabilities().modes;
    assert!(
        !modes.is_empty(),
        "a destination that keeps no table in any mode"
    );
    state::begins_empty_and_comes_back(&subject).await;
    state::lists_its_loads(&subject).await;
    state::keeps_what_was_rejected(&subject).await;
    fence::refuses_an_older_opening(&subject).await;
    fence::takes_a_load_once(&subject).await;
    fence::forgets_an_abandoned_load(&subject).await;
    fence::keeps_connections_apart(&subject).await;
    types::come_back_as_they_were(&subject).await;
    evolution::adds_columns(&subject).await;
    evolution::widens_columns(&subject).await;
    evolution::follows_a_newer_plan_inside_a_load(&subject).await;
    names::may_be_odd(&subject).await;
    sizes::from_nothing_to_very_many(&subject).await;
    for mode in modes {
        match mode {
            Mode::Merge => {
                merge::the_newest_wins(&subject).await;
                merge::deletes(&subject).await;
                merge::keys_of_several_columns(&subject).await;
                truncate::as_a_change(&subject).await;
                truncate::as_a_restart(&subject).await;
                clear::lists_that_come_anew(&subject).await;
            }
            Mode::Append => {
                append::every_change_is_a_row(&subject).await;
                clear::of_a_history(&subject).await;
            }
            Mode::Replace => replace::swaps_the_whole_table(&subject).await,
            Mode::History => {
                history::keeps_every_version(&subject).await;
                history::deletes(&subject).await;
                history::continues(&subject).await;
            }
        }
        folding::is_applying_one_by_one(&subject, *mode).await;
    }
    if subject.connect().await.capabilities().swaps {
        beside::takes_the_place(&subject).await;
        beside::takes_changes_along(&subject).await;
        beside::keeps_the_old_one(&subject).await;
        if modes.contains(&Mode::History) {
            beside::goes_on_with_what_there_was(&subject).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        let memory = Memory::new();
        destination(move || {
            let memory = memory.clone();
            async move { Ok(memory) }
        })
        .await;
    }
}
