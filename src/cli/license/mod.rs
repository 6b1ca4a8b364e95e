//! `lux license show|verify|request|issue`: what there is, whether it holds, what the vendor is told.
//!
//! Always true: nothing goes over the network. A request holds four things, and all of them are on the screen:
//! license id, version of Lux, the host's fingerprint, and whom to answer.
//!
//! Read first: `license/mod.rs`. The vendor's side is `issue.rs`, what is shown is made in `report.rs`.

mod issue;
mod report;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output;
use super::settings_args::{LicenseArgs, PlaceArgs, read_file};
use crate::license::{self, Found, host};
use crate::operator_error::OperatorError;
use crate::settings::{Layer, Places, Settings};
use crate::terms::Standing;
pub use report::Report;

const EXAMPLES: &str = "\
What a broker here would find:
  lux license show
  lux license verify && echo good

What the vendor is to be sent, by mail or however you like; this is all of it:
  lux license request --contact ops@customer.example

The vendor's side: a key once, then a license for each customer:
  lux license issue --new-key vendor.key > vendor.pub
  lux license issue --key vendor.key --customer 'Example GmbH' --tier team --for 365d \\
      --contact help@vendor.example > license

Without a license Lux is an evaluation, which lacks nothing. Exit codes of verify: 0 it holds, 2 it does not.";

/// `lux license`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct LicenseCommandArgs {
    #[command(subcommand)]
    command: LicenseCommand,
}

#[derive(Subcommand)]
enum LicenseCommand {
    /// Show the license that a broker here would find, and how it stands
    Show(ShowArgs),
    /// Say whether a license holds; exit code 2 if it does not
    Verify(VerifyArgs),
    /// Print what the vendor needs to know to make a license
    Request(RequestArgs),
    /// Make a license, or the key that signs them: the vendor's side
    Issue(issue::IssueArgs),
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    whence: WhenceArgs,

    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct VerifyArgs {
    /// The license's file [default: where a broker would look]
    #[arg(value_name = "FILE", conflicts_with = "license")]
    file: Option<PathBuf>,

    #[command(flatten)]
    whence: WhenceArgs,

    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct RequestArgs {
    /// Whom the vendor is to answer: an address of yours
    #[arg(long, value_name = "ADDRESS", value_parser = parse_contact)]
    contact: String,

    #[command(flatten)]
    whence: WhenceArgs,
}

/// Where a broker would look.
#[derive(Args)]
struct WhenceArgs {
    #[command(flatten)]
    license: LicenseArgs,

    /// Where Lux keeps what must outlive it [default: ~/.local/state/lux]
    #[arg(long, value_name = "DIR", env = "LUX_STATE_DIR")]
    state_dir: Option<PathBuf>,

    /// A TOML file with settings; flags and LUX_* win over it
    #[arg(long, value_name = "FILE", env = "LUX_CONFIG")]
    config: Option<PathBuf>,
}

/// Shows, verifies, asks or makes.
///
/// # Errors
/// The file of settings cannot be read, or the license does not hold.
pub fn run(args: LicenseCommandArgs) -> Result<(), Failure> {
    match args.command {
        LicenseCommand::Show(args) => show(args),
        LicenseCommand::Verify(args) => verify(args),
        LicenseCommand::Request(args) => request(args),
        LicenseCommand::Issue(args) => issue::run(args),
    }
}

fn show(args: ShowArgs) -> Result<(), Failure> {
    let found = args.whence.find()?;
    Report::of(&found, license::wall_ms()).print(args.json)
}

fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let mut whence = args.whence;
    whence.license.license = args.file.or(whence.license.license);
    let found = whence.find()?;
    let report = Report::of(&found, license::wall_ms());
    if args.json {
        report.print(true)?;
        return if report.holds() { Ok(()) } else { Err(Failure::Told) };
    }
    match (found, report.standing()) {
        (Found::Unusable(error), _) => Err(error.into()),
        (Found::License(_), Some(Standing::Valid | Standing::Grace)) => report.print(false),
        (Found::License(license), Some(Standing::Early | Standing::Expired) | None) => {
            let message =
                format!("the license in {} does not hold: {}", license.file.display(), report.says());
            Err(Failure::operator(message, format!("write to {}", license.terms.contact)))
        }
        (Found::Nothing, _) => {
            let remedy = "name a file, or ask for one with `lux license request`";
            Err(Failure::operator("there is no license here, so Lux is an evaluation", remedy))
        }
    }
}

fn request(args: RequestArgs) -> Result<(), Failure> {
    let id = match args.whence.find()? {
        Found::License(license) => license.terms.id,
        Found::Nothing | Found::Unusable(_) => host::NONE.to_owned(),
    };
    let fingerprint = host::fingerprint();
    for (name, value) in [
        ("license", &*id),
        ("version", env!("CARGO_PKG_VERSION")),
        ("host", &*fingerprint),
        ("contact", &*args.contact),
    ] {
        output::line(&format!("{name} = {value}"))?;
    }
    eprintln!("this is all that the vendor is told; send it however you like, Lux sends nothing itself");
    if fingerprint == host::NONE {
        eprintln!("this machine has no /etc/machine-id, so its line `host` says {}", host::NONE);
    }
    Ok(())
}

impl WhenceArgs {
    fn find(self) -> Result<Found, OperatorError> {
        let places = Places::of_environment();
        let place = PlaceArgs { state_dir: self.state_dir, keys: None, config: self.config };
        let file = read_file(&place, &places)?;
        let flags = Layer { state_dir: place.state_dir, license: self.license.license, ..Layer::default() };
        let settings =
            Settings { vendor_key: self.license.vendor_key, ..Settings::from_layers(flags, file, &places) };
        Ok(license::find(&settings))
    }
}

fn parse_contact(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.trim().is_empty() && text.chars().count() <= 200 && !text.contains(char::is_control);
    if is_plain { Ok(text.trim().to_owned()) } else { Err("write an address as ops@customer.example") }
}
