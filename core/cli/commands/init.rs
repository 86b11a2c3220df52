//! `tributary init`: a configuration to start from, with every stream of a source listed.
//!
//! Nothing is written unless the source could be asked, and nothing that exists is overwritten.

mod address;
mod compose;

use std::io::Write;
use std::path::{Path, PathBuf};

use tributary_config::Environment;
use tributary_model::{Catalog, Context, Error, ErrorKind, Result};

use crate::args::InitArgs;
use crate::exit::{Exit, Failure, usage};
use crate::session::Session;
use crate::table::count;
use crate::{output, registry};
use address::{DestinationAddress, SourceAddress};

pub(crate) async fn run(args: &InitArgs, session: &Session) -> Result<Exit, Failure> {
    let source = address::source(&args.source)?;
    let destination = address::destination(&args.destination)?;
    let file = target(args, session)?;
    let catalog = discover(&source).await?;
    let text = compose::compose(&source, &destination, &catalog);
    prove(&file, &text, &source)?;
    write(&file, &text)?;
    output::print(&farewell(&file, &source, &destination, &catalog, session));
    Ok(Exit::Done)
}

fn target(args: &InitArgs, session: &Session) -> Result<PathBuf> {
    let file = args
        .output
        .clone()
        .unwrap_or_else(|| session.config.clone());
    // Elsewhere `--output` takes a format; a file called `json` is hardly meant.
    if file == Path::new("json") || file == Path::new("text") {
        return Err(usage("`init` writes a file, and `--output` is its name")
            .fix("Write `--output FILE`, or leave it out."));
    }
    match file.exists() {
        true => Err(exists(&file)),
        false => Ok(file),
    }
}

fn exists(file: &Path) -> Error {
    usage(format!(
        "{} is there already, and is not overwritten",
        file.display()
    ))
    .fix("Name another file with `--output FILE`, or move it away.")
}

async fn discover(source: &SourceAddress) -> Result<Catalog> {
    let connector = registry::connect_source(source.kind, source.settings.clone()).await?;
    let catalog = connector
        .discover()
        .await
        .context(|| "nothing was written".to_owned())?;
    match catalog.streams.is_empty() {
        true => Err(Error::new(
            ErrorKind::Access,
            "the source has no stream that this user may see",
        )
        .fix("Grant SELECT on its tables, or name another database in the address.")),
        false => Ok(catalog),
    }
}

/// A file that we write ourselves must be one that we can read.
fn prove(file: &Path, text: &str, source: &SourceAddress) -> Result<()> {
    let environment: Environment = source
        .password
        .iter()
        .map(|password| (source.variable(), password.expose().to_owned()))
        .collect();
    tributary_config::parse(file, text, &environment, &registry::kinds())
        .map(drop)
        .map_err(|problems| {
            Error::bug("the configuration to be written is not valid").because(problems)
        })
}

fn write(file: &Path, text: &str) -> Result<()> {
    // `create_new`: someone else may have made the file since we looked.
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(file);
    let result = made.and_then(|mut made| made.write_all(text.as_bytes()));
    result.map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => Error::new(
            ErrorKind::Access,
            format!("{} can't be written", file.display()),
        )
        .because(why),
    })
}

fn farewell(
    file: &Path,
    source: &SourceAddress,
    destination: &DestinationAddress,
    catalog: &Catalog,
    session: &Session,
) -> String {
    let streams = count(catalog.streams.len() as u64, "stream");
    let mut text = format!(
        "Wrote {}: {streams} of {} into {}.\n\nNext:\n",
        file.display(),
        source.name,
        destination.shown
    );
    if source.password.is_some() {
        text += &format!("  export {}='the password'\n", source.variable());
    }
    let option = match file == session.config {
        true => String::new(),
        false => format!(" --config {}", file.display()),
    };
    text + &format!("  tributary check{option}\n  tributary sync{option}\n")
}
