//! `cargo xtask fetch-clients`: real software into the user's cache, by the registries' own client programs.

mod archive;
mod command;
mod debian_sources;
mod install;
mod registry;
mod staging;

use std::io::IsTerminal;
use std::process::ExitCode;

use cutape_test_clients::cache::{Cache, Presence};
use cutape_test_clients::manifest::{Client, Manifest};
use cutape_test_clients::python::{self, PythonVersion};

use install::{InstallError, Outcome};
use registry::Registries;
use staging::Staging;

/// Everything wanted is in the cache.
const ALL_THERE: u8 = 0;
/// A file was not the pinned one, or could not be put in place.
const FAILED: u8 = 1;
/// The command line asks for something that there is not.
const USAGE: u8 = 2;
/// Something could not be had here; the rest is in the cache.
const SKIPPED: u8 = 3;

/// Fetch real CUDA software (libcudart, NVIDIA's libcuda, ...) into the cache folder that tests look in
///
/// Pinned by version and SHA-256 in tests/clients/clients.toml. What is there is not fetched again, so this can be interrupted and run
/// again, and by two at once. Needs python3 with pip for PyPI, npm for npm, and a Debian 12 for Debian packages; needs no root.
///
/// Exit code: 0 all wanted is there, 1 a wrong checksum or a failure of our own, 2 usage, 3 something could not be fetched.
#[derive(clap::Args)]
pub struct Args {
    /// Clients to fetch, by NAME or NAME@VERSION; without any, the group `default`
    names: Vec<String>,
    /// Every client of every group; several gigabytes
    #[arg(long, conflicts_with_all = ["names", "group"])]
    all: bool,
    /// The clients of this group
    #[arg(long, value_name = "NAME", conflicts_with = "names")]
    group: Option<String>,
    /// Show what there is and what of it is in the cache; fetch nothing
    #[arg(long)]
    list: bool,
}

/// Fetches or lists; tells the user; gives the exit code.
pub fn run(args: &Args) -> ExitCode {
    let manifest = Manifest::committed();
    let code = match (Cache::of_user(), select(&manifest, args)) {
        (Err(error), _) => {
            eprintln!("fetch-clients: {error}");
            FAILED
        }
        (_, Err(unknown)) => {
            eprintln!("fetch-clients: {unknown}");
            USAGE
        }
        (Ok(cache), Ok(wanted)) if args.list => list(&cache, &wanted),
        (Ok(cache), Ok(wanted)) => fetch(&cache, &wanted),
    };
    ExitCode::from(code)
}

/// The clients that the command line asks for, in the manifest's order.
fn select<'a>(manifest: &'a Manifest, args: &Args) -> Result<Vec<&'a Client>, String> {
    let clients = manifest.clients.iter();
    let known = |name: &String| clients.clone().any(|client| client.answers_to(name));
    if let Some(unknown) = args.names.iter().find(|name| !known(name)) {
        let names: Vec<_> = clients.map(|client| client.name.as_str()).collect();
        return Err(format!(
            "expected one of {}, found {unknown}",
            names.join(", ")
        ));
    }
    let wanted: Vec<_> = match (&args.group, args.names.is_empty()) {
        (Some(group), _) => clients.filter(|client| client.group == *group).collect(),
        (None, false) => clients
            .filter(|client| args.names.iter().any(|name| client.answers_to(name)))
            .collect(),
        (None, true) => clients
            .filter(|client| args.all || args.list || client.group == "default")
            .collect(),
    };
    match &args.group {
        Some(group) if wanted.is_empty() => {
            Err(format!("clients.toml has no group {group} (try --list)"))
        }
        _ => Ok(wanted),
    }
}

fn list(cache: &Cache, wanted: &[&Client]) -> u8 {
    println!("{}", cache.root().display());
    for client in wanted {
        let python = python::version_for(client).ok().flatten();
        let state = match cache.presence(client, python.as_ref()) {
            Presence::Complete => "present",
            Presence::Different => "different",
            Presence::Absent => "absent",
        };
        let title = format!("{} {}", client.name, client.version);
        println!("{state:9}  {:8} {title:44}  {}", client.group, client.gives);
    }
    ALL_THERE
}

fn fetch(cache: &Cache, wanted: &[&Client]) -> u8 {
    println!("into {}", cache.root().display());
    let staging = match Staging::new(cache.root()) {
        Ok(staging) => staging,
        Err(error) => {
            eprintln!("fetch-clients: {error}");
            return FAILED;
        }
    };
    let registries = Registries::new(staging.folder());
    let outcomes = wanted.iter().map(|client| {
        announce(client);
        let outcome = fetch_one(cache, &staging, &registries, client);
        report(client, &outcome);
        outcome
    });
    summary(&outcomes.collect::<Vec<_>>())
}

fn fetch_one(
    cache: &Cache,
    staging: &Staging,
    registries: &Registries,
    client: &Client,
) -> Result<Outcome, InstallError> {
    let python: Option<PythonVersion> = python::version_for(client)
        .map_err(|error| InstallError::Unavailable(error.to_string()))?;
    install::install(cache, staging, registries, client, python.as_ref())
}

/// Some clients take minutes; in a pipe the report of each is enough.
fn announce(client: &Client) {
    if std::io::stderr().is_terminal() {
        eprintln!("looking at {} {}", client.name, client.version);
    }
}

fn report(client: &Client, outcome: &Result<Outcome, InstallError>) {
    let title = format!("{} {}", client.name, client.version);
    match outcome {
        Ok(Outcome::AlreadyThere) => println!("present  {title}"),
        Ok(Outcome::Fetched) => println!("fetched  {title}"),
        Err(InstallError::Unavailable(why)) => println!("skipped  {title}: {why}"),
        Err(error) => println!("failed   {title}: {error}"),
    }
}

fn summary(outcomes: &[Result<Outcome, InstallError>]) -> u8 {
    let there = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let skipped = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(InstallError::Unavailable(_))))
        .count();
    let failed = outcomes.len() - there - skipped;
    println!(
        "{there} of {} there, {skipped} skipped, {failed} failed",
        outcomes.len()
    );
    match (failed, skipped) {
        (0, 0) => ALL_THERE,
        (0, _) => SKIPPED,
        _ => FAILED,
    }
}
