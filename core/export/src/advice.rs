//! What works on one machine and not where each run may be on another.

use tributary_config::{ConnectionPlan, Plan};

/// What can't work as it is, a sentence each.
#[must_use]
pub fn advice(plan: &Plan) -> Vec<String> {
    let unsalted = plan.connections.values().filter(|of| lacks_salt(of)).map(|of| {
        format!(
            "connection {} hashes columns without a `salt`: each machine would make one of its own, \
             and the same value would get other hashes. Write `salt: ${{TRIBUTARY_SALT}}`.",
            of.options.name
        )
    });
    let rotating = plan.sources.iter().filter(|(_, end)| {
        let token = end.settings.get("refresh_token");
        token.is_some_and(|token| !token.is_null()) && plan.daemon.store.is_none()
    });
    let rotating = rotating.map(|(name, _)| {
        format!(
            "source {name} logs in by a refresh token: one that replaces itself is lost with the \
             machine that got it. Name a control store on Postgres, `daemon: {{store: …}}`."
        )
    });
    unsalted.chain(rotating).collect()
}

fn lacks_salt(of: &ConnectionPlan) -> bool {
    let options = &of.options;
    let mut streams = options.streams.values().chain([&options.defaults]);
    let hashes = streams.any(|stream| stream.columns.values().any(|rule| rule.hash));
    hashes && options.salt.is_none()
}

#[cfg(test)]
mod tests {
    use super::advice;
    use crate::fixture::read;

    #[test]
    fn what_differs_between_machines_is_told() {
        let yaml = |salt: &str| {
            format!(
                "sources: {{a: {{type: api}}}}\ndestinations: {{w: {{type: remote}}}}\n\
                 connections:\n  a:\n    source: a\n    destination: w\n    \
                 defaults: {{columns: {{email: hash}}}}\n{salt}"
            )
        };
        let told = advice(&read(&yaml("")).plan);
        assert!(told[0].starts_with("connection a hashes columns without a `salt`"));
        assert!(advice(&read(&yaml("salt: '${SALT}'\n")).plan).is_empty());
    }
}
