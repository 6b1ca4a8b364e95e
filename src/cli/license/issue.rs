//! `lux license issue`: the vendor's side. A key that signs, made once; a license for each customer.
//!
//! Always true: the half that signs goes into a file of mode 0600 and nowhere else; what is printed may be shown
//! to everybody. What was signed has been read again first.
//!
//! Read first: `license/text.rs`, `license/vendor.rs`.

use std::path::PathBuf;

use clap::Args;

use crate::access::keyfile::parse_time;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::license::text::{self, Refusal};
use crate::license::vendor::{SigningKey, VendorKey, to_hex};
use crate::license::wall_ms;
use crate::settings::units::parse_duration_ms;
use crate::terms::Terms;

/// RFC 3339 has four digits for the year.
const LATEST_MS: u64 = 253_402_300_799_999;
const ID_RANDOM_BYTES: usize = 8;

/// Flags of `lux license issue`.
#[derive(Args)]
pub struct IssueArgs {
    /// Make the key that signs, in this new file, and print its public half
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,

    /// The key that signs
    #[arg(long, value_name = "FILE", required_unless_present = "new_key")]
    key: Option<PathBuf>,

    /// Whom it is for
    #[arg(long, value_name = "NAME", required_unless_present = "new_key")]
    customer: Option<String>,

    /// What they may do with it, in your words
    #[arg(long, value_name = "TEXT", default_value = "production")]
    entitlement: String,

    /// One word for it, as team or enterprise
    #[arg(long, value_name = "WORD", required_unless_present = "new_key")]
    tier: Option<String>,

    /// How long it holds, as 365d
    #[arg(long = "for", value_name = "TIME", required_unless_present = "new_key", value_parser = parse_duration_ms)]
    for_ms: Option<u64>,

    /// Where they get help
    #[arg(long, value_name = "ADDRESS", required_unless_present = "new_key")]
    contact: Option<String>,

    /// Its number [default: a random one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// From when on it holds, as 2027-01-31T00:00:00Z [default: now]
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    issued: Option<u64>,
}

/// Makes a key or a license.
///
/// # Errors
/// A file cannot be read or made, or what was asked for cannot stand in a license.
pub fn run(args: IssueArgs) -> Result<(), Failure> {
    match (&args.new_key, &args.key) {
        (Some(path), _) => {
            let key = SigningKey::make()?;
            key.write_new(path)?;
            eprintln!("{} signs licenses; keep it safe, and away from every repository", path.display());
            eprintln!("what verifies them goes into src/license/vendor.pub of the Lux that you build:");
            output::line(&key.vendor_key().hex())
        }
        (None, Some(path)) => {
            let key = SigningKey::of_file(path)?;
            issue(args, &key)
        }
        (None, None) => Err(Failure::operator("nothing signs this license", "name a key with --key")),
    }
}

fn issue(args: IssueArgs, key: &SigningKey) -> Result<(), Failure> {
    // A license's times are whole seconds.
    let issued_at_ms = args.issued.unwrap_or_else(wall_ms) / 1000 * 1000;
    // clap has seen to it that what a license needs is there.
    let ends =
        issued_at_ms.checked_add(args.for_ms.unwrap_or_default() / 1000 * 1000).filter(|at| *at <= LATEST_MS);
    let expires_at_ms = ends.ok_or_else(|| Failure::operator("--for is too long", "write a time as 365d"))?;
    let terms = Terms {
        id: args.id.map_or_else(random_id, Ok)?,
        customer: args.customer.unwrap_or_default(),
        entitlement: args.entitlement,
        tier: args.tier.unwrap_or_default(),
        issued_at_ms,
        expires_at_ms,
        contact: args.contact.unwrap_or_default(),
        others: Vec::new(),
    };
    let license = text::write(&terms, key).map_err(|refusal| explain(&refusal))?;
    output::line(license.trim_end_matches('\n'))?;
    if key.vendor_key() != VendorKey::built_in() {
        eprintln!(
            "this program has another vendor's key built in; it takes this license with --vendor-key alone"
        );
    }
    Ok(())
}

/// A refusal names the line of a file that was not written; the flags are in the same order.
fn explain(refusal: &Refusal) -> Failure {
    let flags = ["--id", "--customer", "--entitlement", "--tier", "--issued", "--for", "--contact"];
    let message = match refusal {
        Refusal::Line(line, why) => {
            format!("{} cannot be this: {why}", flags.get(line - 2).unwrap_or(&"a flag"))
        }
        Refusal::NoTime => "a license must hold for a second at least".to_owned(),
        Refusal::TooLarge
        | Refusal::NotText
        | Refusal::NoLicense
        | Refusal::OtherVersion(_)
        | Refusal::Unsigned
        | Refusal::NotTheVendors
        | Refusal::Twice(_)
        | Refusal::Missing(_) => refusal.to_string(),
    };
    Failure::operator(message, "see `lux license issue --help`")
}

fn random_id() -> Result<String, Failure> {
    let mut random = [0; ID_RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Failure::operator(format!("the system gives no random bytes ({error})"), "name a number with --id")
    })?;
    Ok(format!("lux-{}", to_hex(&random)))
}

fn parse_when(text: &str) -> Result<u64, &'static str> {
    parse_time(text).ok_or("write a time as 2027-01-31T00:00:00Z")
}
