//! The key of `hash` for connections that are given none.
//!
//! Invariant: once rows were hashed with a key, it is found again: it is kept, durably, before its
//! first use, where only the user can read it. It never goes to the destination: with it, whoever
//! reads the hashes could try values until one fits. // G8

use tributary_config::ConnectionPlan;
use tributary_model::{ConnectionOptions, Result, Secret, Vault};
use uuid::Uuid;

/// The options of a connection, with the key that its hashed columns need.
pub(crate) async fn salted(of: &ConnectionPlan, vault: &dyn Vault) -> Result<ConnectionOptions> {
    let mut options = of.options.clone();
    if options.salt.is_none() && options.hashes() {
        let connection = options.name.as_str();
        let needs = |error: tributary_model::Error| {
            error
                .context("`hash` needs a secret salt, which the connection hasn't")
                .fix("Add `salt: ${TRIBUTARY_SALT}` to the connection, or set TRIBUTARY_STATE_DIR to a folder that lasts.")
        };
        options.salt = Some(kept(connection, vault).await.map_err(needs)?);
    }
    Ok(options)
}

async fn kept(connection: &str, vault: &dyn Vault) -> Result<Secret> {
    let name = format!("salt-{connection}");
    let _alone = vault.hold(&name).await?;
    if let Some(salt) = vault.get(&name).await? {
        return Ok(salt);
    }
    // Two times 122 random bits.
    let salt = Secret::new(format!(
        "{}{}",
        Uuid::new_v4().simple(),
        Uuid::new_v4().simple()
    ));
    vault.put(&name, &salt).await?;
    tracing::warn!(
        connection,
        "made a secret salt for hashed columns, since the connection has none; it is kept on this \
         machine only. Set `salt` to have the same hashes elsewhere"
    );
    Ok(salt)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::vault;

    #[tokio::test]
    async fn a_salt_is_made_once_for_each_connection() {
        let place = tempfile::tempdir().unwrap();
        let salt = async |of: &str| kept(of, &*vault::at(place.path())).await.unwrap();
        let first = salt("shop").await;
        assert_eq!(first.expose().len(), 64);
        assert_eq!(salt("shop").await.expose(), first.expose());
        assert_ne!(salt("other").await.expose(), first.expose());
    }
}
