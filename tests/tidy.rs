//! The repository's own rules, held by a test: who may depend on whom, what comes with every
//! connector and destination, how long a file may be, what must not be committed, and that each
//! guarantee is enforced in code and broken on purpose in a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Lines of one file of code.
const LONGEST: usize = 800;
/// Written by a program, or by nobody here.
const NOT_OURS: [&str; 2] = ["Cargo.lock", "LICENSE"];

/// A part of the workspace, by its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Allocator,
    Cli,
    Config,
    Daemon,
    Engine,
    Export,
    Rest,
    Sql,
    Store,
    Telemetry,
    Model,
    Connector,
    Destination,
    Kit,
    Standins,
}

impl Part {
    fn at(path: &str) -> Option<Self> {
        match path.split('/').collect::<Vec<_>>()[..] {
            [""] => Some(Self::Cli),
            ["config"] => Some(Self::Config),
            ["core", "allocator"] => Some(Self::Allocator),
            ["core", "daemon"] => Some(Self::Daemon),
            ["core", "engine"] => Some(Self::Engine),
            ["core", "export"] => Some(Self::Export),
            ["core", "rest"] => Some(Self::Rest),
            ["core", "sql"] => Some(Self::Sql),
            ["core", "store"] => Some(Self::Store),
            ["core", "telemetry"] => Some(Self::Telemetry),
            ["core", "model"] => Some(Self::Model),
            ["connectors", _] => Some(Self::Connector),
            ["destinations", _] => Some(Self::Destination),
            ["tests", "kit"] => Some(Self::Kit),
            ["tests", "standins"] => Some(Self::Standins),
            _ => None,
        }
    }

    /// Those it may know. Nobody knows its equals: connectors never know each other.
    fn may_know(self) -> &'static [Self] {
        match self {
            Self::Cli => &[
                Self::Allocator,
                Self::Config,
                Self::Daemon,
                Self::Engine,
                Self::Export,
                Self::Telemetry,
                Self::Model,
                Self::Connector,
                Self::Destination,
            ],
            Self::Daemon => &[Self::Config, Self::Engine, Self::Model, Self::Rest],
            Self::Export => &[Self::Config, Self::Model],
            Self::Telemetry => &[Self::Config, Self::Engine, Self::Model],
            Self::Connector => &[Self::Model, Self::Rest],
            Self::Destination => &[Self::Model, Self::Sql, Self::Store],
            Self::Config | Self::Engine | Self::Rest | Self::Sql | Self::Store => &[Self::Model],
            Self::Kit => &[Self::Engine, Self::Model],
            Self::Standins => &[Self::Kit],
            Self::Allocator | Self::Model => &[],
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .expect("cargo knows the workspace");
    metadata.packages
}

/// Where a package or a dependency stands in the tree.
fn place(path: &Path) -> String {
    let inside = path
        .strip_prefix(root())
        .expect("it is inside the workspace");
    inside.display().to_string()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that are, or are about to be, under version control.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("git can run");
    assert!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).expect("names of files are UTF-8");
    let files: Vec<_> = names
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| {
            root().join(path).is_file() && !NOT_OURS.iter().any(|other| path.ends_with(other))
        })
        .collect();
    assert!(files.len() > 20, "git lists the files of the repository");
    files
}

fn under(files: &[PathBuf], dirs: &[&str]) -> Vec<PathBuf> {
    files
        .iter()
        .filter(|path| dirs.iter().any(|dir| path.starts_with(dir)))
        .cloned()
        .collect()
}

#[track_caller]
fn assert_none(problems: &[String], what: &str) {
    assert!(problems.is_empty(), "{what}:\n  {}", problems.join("\n  "));
}

#[test]
fn dependencies_point_down() {
    let mut problems = Vec::new();
    for package in packages() {
        let from = place(
            package
                .manifest_path
                .parent()
                .expect("a package has a folder")
                .as_std_path(),
        );
        let part = Part::at(&from).unwrap_or_else(|| panic!("{from} has no place in the tree"));
        for dependency in &package.dependencies {
            let Some(path) = &dependency.path else {
                continue;
            };
            let to = place(path.as_std_path());
            let known = Part::at(&to).unwrap_or_else(|| panic!("{to} has no place in the tree"));
            // Tests of any part may use the kit; the kit's own need no more than it has.
            let by_test = dependency.kind == DependencyKind::Development
                && matches!(known, Part::Kit | Part::Standins);
            if !part.may_know().contains(&known) && !by_test {
                problems.push(format!(
                    "{} must not depend on {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    assert_none(&problems, "dependencies that point up or sideways");
}

#[test]
fn versions_stand_in_one_place() {
    let inherited =
        |line: &str| line.contains("workspace = true") || line.contains(".workspace = true");
    let mut problems = Vec::new();
    for package in packages() {
        let manifest = place(package.manifest_path.as_std_path());
        let text = read(&manifest);
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            } else if section.ends_with("dependencies]")
                && section != "[workspace.dependencies]"
                && line.contains('=')
                && !inherited(line)
            {
                problems.push(format!("{manifest}: {line}"));
            }
        }
    }
    assert_none(&problems, "versions outside of [workspace.dependencies]");
}

/// Each connector and destination brings its page, its documentation, and its two lines.
#[test]
fn every_part_is_whole() {
    let features = read("Cargo.toml");
    let registry = read("core/cli/registry.rs");
    let mut problems = Vec::new();
    for package in packages() {
        let dir = place(
            package
                .manifest_path
                .parent()
                .expect("a package has a folder")
                .as_std_path(),
        );
        let Some((kind @ ("connectors" | "destinations"), name)) = dir.split_once('/') else {
            continue;
        };
        let mut need = |there: bool, what: &str| {
            if !there {
                problems.push(format!("{dir} has no {what}"));
            }
        };
        let page = format!("docs/{kind}/{name}.md");
        need(root().join(&dir).join("README.md").is_file(), "README.md");
        need(root().join(&page).is_file(), &page);
        need(
            features.contains(&format!("\n{name} = [\"dep:{}\"", package.name)),
            "line in [features]",
        );
        need(
            registry.contains(&package.name.replace('-', "_")),
            "line in core/cli/registry.rs",
        );
    }
    assert_none(&problems, "parts that are not whole");
}

/// A build may leave any connector and destination out, the cloud's first: none is in a build that
/// asks for none, each comes by its feature, and its line in the registry is guarded by it.
#[test]
fn every_part_can_be_left_out() {
    let tree = |features: &str| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let output = Command::new(cargo)
            .args([
                "tree",
                "--offline",
                "--package",
                "tributary",
                "--edges",
                "normal",
            ])
            .args(["--prefix", "none", "--format", "{p}"])
            .args(["--no-default-features", "--features", features])
            .current_dir(root())
            .output()
            .expect("cargo can run");
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problem}");
        String::from_utf8(output.stdout).expect("names of packages are UTF-8")
    };
    let holds = |tree: &str, package: &str| {
        let start = format!("{package} v");
        tree.lines().any(|line| line.starts_with(&start))
    };
    let none = tree("");
    let small = tree("mysql,duckdb");
    let registry = read("core/cli/registry.rs");
    let mut problems = Vec::new();
    for package in packages() {
        let manifest = package.manifest_path.as_std_path();
        let dir = place(manifest.parent().expect("a package has a folder"));
        let Some(("connectors" | "destinations", feature)) = dir.split_once('/') else {
            continue;
        };
        let (name, word) = (package.name.as_str(), package.name.replace('-', "_"));
        if holds(&none, name) || holds(&small, name) != ["mysql", "duckdb"].contains(&feature) {
            problems.push(format!("{dir} is in a build that does not ask for it"));
        }
        let guarded = format!("#[cfg(feature = \"{feature}\")]");
        let mut lines = registry.lines().zip(registry.lines().skip(1));
        if !lines.any(|(guard, line)| guard.trim() == guarded && line.contains(&word)) {
            problems.push(format!("{dir} has no guarded line in core/cli/registry.rs"));
        }
    }
    assert_none(&problems, "parts that a build can't leave out");
}

#[test]
fn no_file_is_too_long() {
    let code = ["rs", "sh", "toml", "sql"];
    let problems: Vec<_> = files()
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|end| code.iter().any(|other| end == *other))
        })
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_none(&problems, "look for the second thought in them");
}

/// Paths of one machine mean nothing on another.
#[test]
fn no_machine_is_named() {
    // Put together here, so that this file does not find itself.
    let paths = [
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["../sha", "red"],
        ["/ho", "me/"],
    ]
    .map(|parts| parts.concat());
    let mut problems = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue; // not text
        };
        for (number, line) in text.lines().enumerate() {
            for found in paths.iter().filter(|path| line.contains(path.as_str())) {
                problems.push(format!("{}:{}: {found}", path.display(), number + 1));
            }
        }
    }
    assert_none(&problems, "paths of one machine");
}

/// A guarantee is a number in the documentation, lines of code that say they keep it, and a test
/// that tries to break it.
#[test]
fn every_guarantee_is_kept_and_attacked() {
    let documented = numbers(&read("docs/GUARANTEES.md"));
    assert!(
        !documented.is_empty(),
        "docs/GUARANTEES.md numbers its guarantees"
    );
    let files = files();
    let text = |dirs: &[&str]| under(&files, dirs).iter().map(read).collect::<String>();
    let code = text(&["config/src", "core", "connectors", "destinations"]);
    let faults = text(&["tests/faults"]);
    let mut problems = Vec::new();
    for number in &documented {
        let cited = code.lines().any(|line| cites(line, *number));
        if !cited {
            problems.push(format!("no line of code says `// G{number}`"));
        }
        if !faults.contains(&format!("fn g{number}_")) {
            problems.push(format!("no test in tests/faults is called `g{number}_...`"));
        }
    }
    for number in (0..100).filter(|number| !documented.contains(number)) {
        if code.lines().any(|line| cites(line, number)) {
            problems.push(format!(
                "G{number} is cited, and is not in docs/GUARANTEES.md"
            ));
        }
    }
    assert_none(&problems, "guarantees");
}

/// The numbers of all `G<n>` in a text.
fn numbers(text: &str) -> BTreeSet<u32> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix('G')?.parse().ok())
        .collect()
}

/// Whether the comment of a line names guarantee `number`.
fn cites(line: &str, number: u32) -> bool {
    line.split_once("//")
        .is_some_and(|(_, comment)| numbers(comment).contains(&number))
}
