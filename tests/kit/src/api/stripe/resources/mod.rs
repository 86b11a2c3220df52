//! The kinds of objects, by the part of Stripe that they belong to.

mod billing;
mod connect;
mod customers;
mod gated;
mod payments;
mod settings;

use super::resource::Resource;

/// All kinds.
pub(super) fn all() -> impl Iterator<Item = &'static Resource> {
    let parts = [
        payments::RESOURCES,
        customers::RESOURCES,
        billing::RESOURCES,
        connect::RESOURCES,
        settings::RESOURCES,
        gated::RESOURCES,
        gated::TREASURY,
    ];
    parts.into_iter().flatten()
}

/// The kind of this name.
pub(super) fn named(stream: &str) -> &'static Resource {
    let found = all().find(|resource| resource.stream == stream);
    found.unwrap_or_else(|| panic!("Stripe has no {stream}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_parents_exist() {
        let names: BTreeSet<_> = all().map(|resource| resource.stream).collect();
        assert_eq!(names.len(), all().count());
        for resource in all() {
            let embedded = resource.embeds.iter().map(|embed| embed.of);
            for other in resource.parent.into_iter().chain(embedded) {
                assert!(names.contains(other), "{} names {other}", resource.stream);
            }
        }
    }
}
