//! `tributary init`: a configuration to start from, with every stream of a source listed.
//!
//! Nothing is written unless the source could be asked, and nothing that exists is overwritten.

mod compose;
mod destination;
mod server;
mod source;

use std::io::Write;
use std::path::{Path, PathBuf};

use tributary_config::{Environment, KindSpec};
use tributary_model::{Catalog, Context, Error, ErrorKind, Mode, Result, Secret};

use crate::args::InitArgs;
use crate::exit::{Exit, Failure, usage};
use crate::session::Session;
use crate::table::count;
use crate::{output, registry};
use destination::DestinationAddress;
use server::{Form, Password};
use source::SourceAddress;

/// What a first configuration is made of.
#[derive(Debug)]
struct First {
    source: SourceAddress,
    destination: DestinationAddress,
    catalog: Catalog,
    password: Option<Secret>,
    /// The modes that the destination has.
    modes: &'static [Mode],
}

pub(crate) async fn run(args: &InitArgs, session: &Session) -> Result<Exit, Failure> {
    let source = source::read(&args.source)?;
    let destination = destination::read(&args.destination)?;
    let file = target(args, session)?;
    let password = source.secret(&session.environment)?;
    let modes = modes(&destination).await?;
    let catalog = discover(&source, password.as_ref()).await?;
    let first = First {
        source,
        destination,
        catalog,
        password,
        modes,
    };
    let text = compose::compose(&first);
    prove(&file, &text, &first)?;
    write(&file, &text)?;
    if matches!(first.source.password, Password::Given(_)) {
        tracing::warn!(
            "the password stood on the command line, where other users of this machine can see it; \
             next time leave it out of the address and set {}",
            first.source.variable()
        );
    }
    if let Some(password) = &first.destination.password
        && password.was_shown
    {
        tracing::warn!(
            "the destination's password stood on the command line, where other users of this machine \
             can see it; next time leave it out of the address and set {}",
            password.variable
        );
    }
    output::print(&farewell(&file, &first, session));
    Ok(Exit::Done)
}

/// What is said of an address that `init` can't read. What is no database's is written down by hand.
fn unaddressed(form: &Form, scheme: &str, kinds: &[KindSpec]) -> Error {
    let end = form.end;
    let known = kinds.iter().find(|kind| kind.name == scheme);
    match known {
        Some(kind) => usage(format!("`init` reads no address of a {end} of type {scheme}")).fix(
            format!(
                "Write it into the configuration yourself: `tributary connectors {}` lists its settings.",
                kind.name
            ),
        ),
        None => usage(format!(
            "there is no {end} whose address begins with `{scheme}:`"
        ))
        .fix(form.help),
    }
}

/// The modes that the destination has.
async fn modes(destination: &DestinationAddress) -> Result<&'static [Mode]> {
    let settings = destination.settings();
    let connector = registry::connect_destination(destination.kind, settings).await?;
    Ok(connector.capabilities().modes)
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

async fn discover(source: &SourceAddress, password: Option<&Secret>) -> Result<Catalog> {
    let settings = source.connecting(password);
    let connector = registry::connect_source(source.kind, settings).await?;
    let catalog = connector.discover().await;
    let catalog = catalog
        .map_err(|error| match (error.kind(), password) {
            (ErrorKind::Access, None) => error.fix(source.how_to_give_a_password()),
            _ => error,
        })
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
fn prove(file: &Path, text: &str, first: &First) -> Result<()> {
    let password = first.password.iter();
    let mut environment: Environment = password
        .map(|password| (first.source.variable(), password.expose().to_owned()))
        .collect();
    let other = first.destination.password.as_ref();
    environment.extend(other.map(|other| (other.variable.clone(), "unknown yet".to_owned())));
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

fn farewell(file: &Path, first: &First, session: &Session) -> String {
    let streams = count(first.catalog.streams.len() as u64, "stream");
    let mut text = format!(
        "Wrote {}: {streams} of {} into {}.\n\nNext:\n",
        file.display(),
        first.source.name,
        first.destination.shown
    );
    let variable = first.source.variable();
    // Where it is set already, it only has to stay so.
    if first.password.is_some() && !session.environment.contains_key(&variable) {
        text += &format!("  export {variable}='the password'\n");
    }
    if let Some(other) = &first.destination.password
        && !session.environment.contains_key(&other.variable)
    {
        text += &format!("  export {}='the password'\n", other.variable);
    }
    let option = match file == session.config {
        true => String::new(),
        false => format!(" --config {}", file.display()),
    };
    text + &format!("  tributary check{option}\n  tributary sync{option}\n")
}
