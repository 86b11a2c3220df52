//! How a connection is, in a word: what its state, its last run, its streams and its objective
//! come to for somebody who looks for a moment.

use crate::view::{Actor, ConnectionState, ConnectionView, RunStatus};

use super::icon::Shape;

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    New,
    Queued,
    Running,
    Stopping,
    Following,
    Fine,
    /// The last run went well, and something about a stream is to be looked at.
    Doubtful,
    /// It works, and its data is older than its objective allows.
    Late,
    /// The last run brought some streams and failed in others.
    Partial,
    Retrying,
    Failed,
    Interrupted,
    /// It fails until somebody acts.
    Stuck,
    Paused,
}

/// What the filter offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Somebody should look.
    Care,
    /// Something is going on.
    Busy,
    /// Nothing is to be done.
    Rest,
    Paused,
}

impl Standing {
    pub(super) fn of(view: &ConnectionView) -> Self {
        match view.state {
            ConnectionState::Stuck => Self::Stuck,
            ConnectionState::Paused => Self::Paused,
            ConnectionState::BackingOff => Self::Retrying,
            ConnectionState::Draining => Self::Stopping,
            ConnectionState::Queued => Self::Queued,
            ConnectionState::Running => troubled(view).unwrap_or(Self::Running),
            ConnectionState::Following => troubled(view).unwrap_or(Self::Following),
            ConnectionState::Idle | ConnectionState::Manual => troubled(view)
                .filter(|found| *found == Self::Late)
                .unwrap_or_else(|| Self::at_rest(view)),
        }
    }

    /// As the last run left it.
    fn at_rest(view: &ConnectionView) -> Self {
        match view.last_run.as_ref().and_then(|run| run.status) {
            None => Self::New,
            Some(RunStatus::Succeeded) if is_doubtful(view) => Self::Doubtful,
            Some(RunStatus::Succeeded) => Self::Fine,
            Some(RunStatus::Partial) => Self::Partial,
            Some(RunStatus::Failed) => Self::Failed,
            Some(RunStatus::Interrupted) => Self::Interrupted,
        }
    }

    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "Not run yet",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Following => "Following",
            Self::Fine => "Up to date",
            Self::Doubtful => "Have a look",
            Self::Late => "Late",
            Self::Partial => "Partly failed",
            Self::Retrying => "Trying again",
            Self::Failed => "Failed",
            Self::Interrupted => "Interrupted",
            Self::Stuck => "Needs you",
            Self::Paused => "Paused",
        }
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Self::New | Self::Queued => Shape::Clock,
            Self::Running | Self::Stopping | Self::Following => Shape::Ring,
            Self::Fine => Shape::Tick,
            Self::Doubtful | Self::Late | Self::Partial | Self::Retrying => Shape::Triangle,
            Self::Failed | Self::Stuck => Shape::Cross,
            Self::Interrupted | Self::Paused => Shape::Pause,
        }
    }

    /// The class of its colour.
    pub(super) fn tone(self) -> &'static str {
        match self {
            Self::New | Self::Queued | Self::Interrupted | Self::Paused => "wait",
            Self::Running | Self::Stopping | Self::Following => "busy",
            Self::Fine => "good",
            Self::Doubtful | Self::Late | Self::Partial | Self::Retrying => "care",
            Self::Failed | Self::Stuck => "bad",
        }
    }

    pub(super) fn group(self) -> Group {
        match self {
            Self::Doubtful
            | Self::Late
            | Self::Partial
            | Self::Retrying
            | Self::Failed
            | Self::Stuck => Group::Care,
            Self::Queued | Self::Running | Self::Stopping | Self::Following => Group::Busy,
            Self::New | Self::Fine | Self::Interrupted => Group::Rest,
            Self::Paused => Group::Paused,
        }
    }
}

/// What is wrong with a connection that goes on.
fn troubled(view: &ConnectionView) -> Option<Standing> {
    let late = |view: &ConnectionView| view.freshness.is_some_and(|aim| !aim.met);
    if view.streams.iter().any(|stream| stream.error.is_some()) {
        Some(Standing::Partial)
    } else if late(view) && view.complete_as_of.is_some() {
        Some(Standing::Late)
    } else {
        None
    }
}

/// Rows that were expected did not come, or a table is not hidden throughout.
fn is_doubtful(view: &ConnectionView) -> bool {
    view.streams
        .iter()
        .any(|stream| !stream.warnings.is_empty())
}

impl Group {
    pub(super) const ALL: [Self; 4] = [Self::Care, Self::Busy, Self::Rest, Self::Paused];

    /// Its name in attributes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Busy => "busy",
            Self::Rest => "rest",
            Self::Paused => "paused",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Care => "Need a look",
            Self::Busy => "Running",
            Self::Rest => "At rest",
            Self::Paused => "Paused",
        }
    }
}

/// Who must act, as a sentence.
pub(super) fn who(actor: Actor) -> &'static str {
    match actor {
        Actor::Nobody => "It is tried again by itself",
        Actor::Configuration => "For whoever writes the configuration",
        Actor::Credentials => "For whoever gives out credentials and rights",
        Actor::Source => "For whoever looks after the source",
        Actor::Tributary => "A mistake in Tributary; please report it",
    }
}
