//! What stands on the command line, and the schema that is committed.
#![allow(clippy::unwrap_used)]

use clap::CommandFactory;

use crate::args::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_is_for_people() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = command.render_help().to_string();
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        let sub = command.find_subcommand_mut(&name).unwrap();
        text += &format!("\n######## tributary {name}\n{}", sub.render_help());
        let inner: Vec<String> = sub
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned())
            .collect();
        for inner in inner {
            let help = sub.find_subcommand_mut(&inner).unwrap().render_help();
            text += &format!("\n######## tributary {name} {inner}\n{help}");
        }
    }
    // The version changes with every release.
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

/// A longer one would be broken, and the rest of it stand in a line of its own.
#[test]
fn no_line_of_help_is_longer_than_a_terminal() {
    fn look(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string);
        for line in help.iter().flat_map(|text| text.lines()) {
            let name = command.get_name();
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        command.get_subcommands().for_each(look);
    }
    look(&Cli::command());
}

#[cfg(all(feature = "mysql", feature = "duckdb"))]
mod with_all_parts {
    use std::path::Path;

    use tributary_config::{Environment, document_schema, load};

    use crate::registry;

    fn folder() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"))
    }

    #[test]
    fn the_committed_schema_is_that_of_this_program() {
        let file = folder().join("tributary.schema.json");
        let committed: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(
            committed == document_schema(&registry::kinds()),
            "run `tributary schema > config/tributary.schema.json`"
        );
    }

    #[test]
    fn every_example_is_valid() {
        let mut environment: Environment = [
            "CRM_CLIENT_SECRET",
            "CRM_REFRESH_TOKEN",
            "LINEAGE_KEY",
            "MAILCHIMP_API_KEY",
            "OPS_SECRET",
            "OTLP_KEY",
            "PROJECTS_API_KEY",
            "REPORTS_PASSWORD",
            "SHOP_PASSWORD",
            "TRIBUTARY_SALT",
            "TRIBUTARY_TOKEN",
            "WAREHOUSE_PASSWORD",
            "ZENDESK_TOKEN",
        ]
        .map(|name| (name.to_owned(), "x-us21".to_owned()))
        .into();
        let webhook = "https://hooks.example.com/x".to_owned();
        environment.insert("OPS_WEBHOOK".to_owned(), webhook);
        let mut examples = 0;
        for entry in std::fs::read_dir(folder().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.to_string_lossy().ends_with(".manifest.yaml") {
                continue; // described APIs, read by the configuration beside them, and their fixtures
            }
            load(&path, &environment, &registry::kinds()).unwrap_or_else(|why| panic!("{why}"));
            examples += 1;
        }
        assert!(examples > 1);
    }
}
