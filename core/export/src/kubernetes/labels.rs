//! What every object has, and the name by which pods find the configuration.

use serde_json::{Value, json};

/// The ConfigMap.
pub(crate) const CONFIG: &str = "tributary-config";

/// Labels of every object.
pub(crate) fn labels(component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "tributary",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "tributary-export",
    })
}
