//! How many requests at once: a fixed number, or one that is found out.
//!
//! An API that limits connections and not their rate says nothing until it refuses, and other
//! programs count against the same number. So half as many are made after a refusal, and one more
//! after each long row of successes: what an account is let have is approached from below, and left
//! at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::manifest::limit::Parallel;

/// Successes of each place until there is one more.
const CALM: u32 = 50;

/// Places for requests.
#[derive(Debug)]
pub(super) struct Room {
    range: Parallel,
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Places that there are to be.
    allowed: u32,
    /// Of those in use so many are taken away when they are given back.
    owed: u32,
    /// Successes since the number changed.
    calm: u32,
    shrunk: Option<Instant>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
}

impl Room {
    pub(super) fn new(range: Parallel) -> Arc<Self> {
        Arc::new(Self {
            range,
            places: Arc::new(Semaphore::new(range.from as usize)),
            state: Mutex::new(State {
                allowed: range.from,
                owed: 0,
                calm: 0,
                shrunk: None,
            }),
        })
    }

    /// Places there may be at most.
    pub(super) fn most(&self) -> usize {
        self.range.to as usize
    }

    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        Place {
            // It is never closed.
            permit: self.places.clone().acquire_owned().await.ok(),
            since: Instant::now(),
            room: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fixed(&self) -> bool {
        self.range.from == self.range.to
    }

    /// A request that got its place at `since` was refused. Several at once are one refusal: those
    /// that were under way when places were taken away say nothing of the places that are left.
    fn shrink(&self, since: Instant) {
        let mut state = self.lock();
        if self.is_fixed() || state.shrunk.is_some_and(|at| since <= at) {
            return;
        }
        let fewer = (state.allowed / 2).max(1);
        let taken = state.allowed - fewer;
        let free = self.places.forget_permits(taken as usize);
        state.owed += taken - u32::try_from(free).unwrap_or(taken);
        (state.allowed, state.calm) = (fewer, 0);
        state.shrunk = Some(Instant::now());
    }

    fn grow(&self) {
        let mut state = self.lock();
        if state.allowed >= self.range.to {
            return;
        }
        state.calm += 1;
        if state.calm < CALM * state.allowed {
            return;
        }
        (state.allowed, state.calm) = (state.allowed + 1, 0);
        match state.owed {
            0 => self.places.add_permits(1),
            _ => state.owed -= 1,
        }
    }
}

impl Place {
    /// The API said that there were too many.
    pub(super) fn refused(&self) {
        self.room.shrink(self.since);
    }

    /// The API answered.
    pub(super) fn answered(&self) {
        self.room.grow();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        if let Some(permit) = self.permit.take_if(|_| state.owed > 0) {
            permit.forget();
            state.owed -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn places(room: &Arc<Room>) -> usize {
        let mut held = Vec::new();
        while let Ok(place) = tokio::time::timeout(Duration::ZERO, room.enter()).await {
            held.push(place);
        }
        held.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_places_and_calm_brings_them_back() {
        let room = Room::new(Parallel { from: 4, to: 6 });
        let crowd = [room.enter().await, room.enter().await, room.enter().await];
        tokio::time::advance(Duration::from_millis(1)).await;
        for place in &crowd {
            place.refused();
        }
        assert_eq!(room.lock().allowed, 2, "three refusals at once are one");
        drop(crowd);
        assert_eq!(places(&room).await, 2);
        tokio::time::advance(Duration::from_millis(1)).await;
        room.enter().await.refused();
        assert_eq!(places(&room).await, 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        room.enter().await.refused();
        assert_eq!(places(&room).await, 1, "one is always left");
        for _ in 0..1000 {
            room.enter().await.answered();
        }
        assert_eq!(places(&room).await, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_number_stays() {
        let room = Room::new(Parallel { from: 3, to: 3 });
        tokio::time::advance(Duration::from_millis(1)).await;
        room.enter().await.refused();
        room.enter().await.answered();
        assert_eq!(places(&room).await, 3);
    }
}
