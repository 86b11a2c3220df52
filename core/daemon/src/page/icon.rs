//! The shapes of states. Each is told apart without its colour.

use maud::{Markup, html};

/// What a state looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A tick.
    Tick,
    /// An open ring that turns.
    Ring,
    /// A clock.
    Clock,
    /// Two bars.
    Pause,
    /// A triangle.
    Triangle,
    /// A cross.
    Cross,
}

/// The shape as a picture; the word beside it says what it means.
pub(super) fn icon(shape: Shape) -> Markup {
    let (class, lines) = match shape {
        Shape::Tick => (
            "",
            "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM5 8.2l2.1 2.1L11 6.2",
        ),
        Shape::Ring => ("turn", "M14.5 8A6.5 6.5 0 1 1 8 1.5"),
        Shape::Clock => (
            "",
            "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM8 4.5V8l2.4 1.6",
        ),
        Shape::Pause => ("", "M5.5 3v10M10.5 3v10"),
        Shape::Triangle => ("", "M8 2L14.6 13.8H1.4zM8 6.2v3.6M8 11.6v.3"),
        Shape::Cross => ("", "M3.2 3.2l9.6 9.6M12.8 3.2l-9.6 9.6"),
    };
    html! {
        svg class=(class) viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.7"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" {
            path d=(lines) {}
        }
    }
}

/// Three streams that become one.
pub(super) fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.2"
            stroke-linecap="round" aria-hidden="true" {
            path d="M3 4c5 0 5 8 10 8h8M3 12h10M3 20c5 0 5-8 10-8" {}
        }
    }
}
