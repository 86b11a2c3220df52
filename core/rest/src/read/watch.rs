//! What is looked for in the records of a window: those that were sent before, those that will come
//! again, and how far the window has come.

use crate::json::Raw;
use crate::manifest::cursor::WindowSpec;
use crate::path::Path;
use crate::point::{Format, Point};
use crate::seen::Seen;

use super::take::point_of;

/// Whether the greatest place seen is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

/// Watches the records of a window go by.
#[derive(Debug, Default)]
pub(crate) struct Watch<'a> {
    field: Option<(&'a Path, &'a Format)>,
    /// Rows sent by an earlier run.
    before: Option<&'a Seen>,
    /// Rows of this one that will come again.
    pub(crate) again: Seen,
    /// From here on rows will come again.
    remembered: Option<Point>,
    /// Rows with less than this are left out.
    pub(crate) least: Option<Point>,
    /// The greatest place seen, where it is followed.
    pub(crate) reached: Option<Point>,
    /// Rows at the greatest place.
    edge: Seen,
    /// Rows at the place where the window was begun anew.
    anchor: Seen,
    follows: bool,
    watching: bool,
}

impl<'a> Watch<'a> {
    /// Looks at nothing.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// Watches a window of `spec` that ends at `to`: rows in `before` are left out, rows from
    /// `remembered` on are noted in `again`.
    pub(crate) fn window(
        spec: &'a WindowSpec,
        follow: Follow,
        before: &'a Seen,
        again: Seen,
        remembered: Point,
        to: Point,
    ) -> Self {
        let follows = follow == Follow::Yes || !spec.format.is_time();
        let ends_before = spec.to.is_some() && to <= remembered;
        Self {
            field: Some((&spec.field, &spec.format)),
            before: Some(before),
            remembered: Some(remembered),
            least: None,
            reached: None,
            follows,
            watching: follows || !ends_before || !before.is_empty() || !again.is_empty(),
            again,
            edge: Seen::default(),
            anchor: Seen::default(),
        }
    }

    /// Leaves out rows whose field is below `least`, and those in `before`.
    pub(crate) fn local(
        field: &'a Path,
        format: &'a Format,
        least: Option<Point>,
        before: &'a Seen,
    ) -> Self {
        Self {
            field: Some((field, format)),
            before: Some(before),
            least,
            follows: true,
            watching: true,
            ..Self::default()
        }
    }

    /// Whether no record needs to be looked at.
    pub(crate) fn is_blind(&self) -> bool {
        !self.watching
    }

    fn follow(&mut self, point: Option<Point>, digest: u64) {
        let grain = self.field.map_or(1, |(_, format)| format.grain());
        let point = point.map(|point| crate::point::floor(point, grain));
        if point > self.reached {
            self.reached = point;
            self.edge = Seen::default();
        }
        if point == self.reached {
            self.edge.add(digest);
        }
    }

    /// The window begins anew from the greatest place seen: the rows there come once more.
    pub(crate) fn anchor(&mut self) {
        self.anchor = self.edge.clone();
    }

    /// The rows that come again when the window is begun anew from the greatest place seen.
    pub(crate) fn starting_at_edge(&self) -> Seen {
        let mut seen = self.again.clone();
        seen.add_all(&self.edge);
        seen
    }

    /// Whether a record is taken; notes it where it will come again.
    pub(crate) fn lets_pass(&mut self, raw: Raw<'_>, digest: impl Fn(Raw<'_>) -> u64) -> bool {
        if !self.watching {
            return true;
        }
        let point = self
            .field
            .and_then(|(field, format)| point_of(raw, field, format));
        if let (Some(least), Some(point)) = (self.least, point)
            && point < least
        {
            return false;
        }
        let comes_again = self
            .remembered
            .is_some_and(|from| point.is_none_or(|at| at >= from));
        let known = self.before.is_some_and(|before| !before.is_empty());
        if !comes_again && !known && self.again.is_empty() && !self.follows {
            return true;
        }
        let digest = digest(raw);
        if self.follows {
            self.follow(point, digest);
        }
        let was_sent = self.before.is_some_and(|before| before.contains(digest))
            || self.again.contains(digest)
            || self.anchor.contains(digest);
        if comes_again {
            self.again.add(digest);
        }
        !was_sent
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::manifest::cursor::CursorSpec;
    use crate::problem::Log;

    #[test]
    fn rows_near_the_end_are_remembered_and_do_not_come_twice() {
        let mut log = Log::default();
        let text = "{field: t, format: unix, from: a, to: b, bounds: \"[)\", order: desc}";
        let node = crate::yaml::read(text, &mut log).unwrap();
        let Some(CursorSpec::Window(spec)) = CursorSpec::read(&node, &mut log) else {
            panic!("no window");
        };
        let row = |at: i64| format!("{{\"t\":{at}}}");
        let passes = |watch: &mut Watch<'_>, at| {
            let row = row(at);
            watch.lets_pass(Raw::parse(&row).unwrap(), |raw| raw.digest())
        };
        let none = Seen::default();
        let mut first = Watch::window(&spec, Follow::No, &none, Seen::default(), 10_000, 20_000);
        assert!(passes(&mut first, 5) && passes(&mut first, 12) && passes(&mut first, 15));
        let seen = first.again;
        let mut second = Watch::window(&spec, Follow::No, &seen, Seen::default(), 14_000, 30_000);
        assert!(!passes(&mut second, 12) && !passes(&mut second, 15));
        assert!(passes(&mut second, 13) && passes(&mut second, 25));
        assert!(second.again.contains(Raw::known(&row(15)).digest()));
        assert!(!second.again.contains(Raw::known(&row(13)).digest()));
        assert!(Watch::window(&spec, Follow::No, &none, Seen::default(), 10_000, 9_000).is_blind());
    }
}
