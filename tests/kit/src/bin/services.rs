//! Private servers to try things on, each with the shop in it, until Ctrl-C.

use std::io::{self, Write};

use tributary_testkit::server::{Flavor, MySqlServer, Options};
use tributary_testkit::shop::Shop;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut servers = Vec::new();
    for flavor in Flavor::ALL {
        let server = MySqlServer::start(
            flavor,
            Options {
                gtid: true,
                ..Options::default()
            },
        )
        .await;
        Shop::DEMO.load(&server).await;
        let reader = server.reader().await;
        let mut out = io::stdout().lock();
        writeln!(out, "{flavor:?}")?;
        writeln!(out, "  root    {}/shop", server.url())?;
        writeln!(out, "  reader  {}/shop", reader.url(server.port()))?;
        servers.push(server);
    }
    writeln!(io::stdout(), "Ctrl-C stops them and removes their data.")?;
    // SIGTERM, or an error here, ends the process; the servers end with it either way.
    tokio::signal::ctrl_c().await
}
