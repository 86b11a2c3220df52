//! The user that a connector should need, and no more.

use super::MySqlServer;

/// A user with `SELECT`, `REPLICATION SLAVE` and `REPLICATION CLIENT`.
#[derive(Clone, Debug)]
pub struct ReaderUser {
    /// The name.
    pub name: String,
    /// The password: a text that is found nowhere else, so that a leak of it is seen.
    pub password: String,
}

impl ReaderUser {
    pub(super) async fn create(server: &MySqlServer) -> Self {
        let user = Self {
            name: "reader".to_owned(),
            password: "canary-9f27-reader".to_owned(),
        };
        let Self { name, password } = &user;
        server
            .execute(&format!(
                "CREATE USER {name}@'%' IDENTIFIED BY '{password}';
                 GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {name}@'%';"
            ))
            .await;
        user
    }

    /// The address of the user on `port` of 127.0.0.1: the server's own, or a proxy's.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        format!("mysql://{}:{}@127.0.0.1:{port}", self.name, self.password)
    }
}
