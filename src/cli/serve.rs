//! `lux serve`: settings to a running broker.
//!
//! Always true: it says `listening on http://ADDR:PORT` on standard error (`https://` with TLS) once every core answers, and not
//! before; it never runs open unless told so.
//!
//! Read first: `settings_args.rs`, `provision.rs`.

use anstyle::AnsiColor;
use clap::Args;

use super::failure::Failure;
use super::provision::Place;
use super::settings_args::SettingsArgs;
use super::{logging, provision};
use crate::operator_error::OperatorError;
use crate::runtime::Broker;
use crate::settings::Settings;

const EXAMPLES: &str = "\
On this machine only, with a key made on the first start:
  lux serve

For a network, two cores, larger states:
  lux serve --listen 0.0.0.0:7373 --cores 2 --limit state_bytes=1MiB

Settings from a file, where flags have their names with _ for -, and limits stand under [limits]:
  lux serve --config lux.toml

One key out of the environment, with read and write on everything, beside those in the key file:
  LUX_API_KEY=$(cat key.txt) lux serve

TLS, with a certificate of yours, or one made for a first try:
  lux serve --tls-cert fullchain.pem --tls-key privkey.pem
  lux serve --tls-self-signed

SIGHUP reads the key file, the settings file, the license and the certificate again; SIGTERM and SIGINT stop it once \
requests under way are answered.";

/// Flags of `lux serve`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Runs a broker until it is told to stop.
///
/// # Errors
/// What is wrong with the settings or the machine.
pub fn run(args: ServeArgs) -> Result<(), Failure> {
    let settings = args.settings.resolve()?;
    let set_log_level = logging::start(&settings.log)?;
    start(settings)?.with_log_level(set_log_level).wait()?;
    Ok(())
}

fn start(settings: Settings) -> Result<Broker, OperatorError> {
    let first_key = provision::make_first_key(&settings)?;
    let broker = Broker::start(settings.clone()).inspect_err(|_| {
        if first_key.is_some() {
            provision::take_back_first_key(&settings);
        }
    })?;
    let address = broker.address();
    let place = Place::of(&broker);
    provision::say_address(&place, address);
    if let Some(secret) = first_key {
        provision::show_first_key(&secret, &place, &settings.keys_file);
    }
    if settings.insecure_open {
        warn_open();
    }
    Ok(broker)
}

fn warn_open() {
    let yellow = AnsiColor::Yellow.on_default().bold();
    anstream::eprintln!(
        "{yellow}open:{yellow:#} everybody who reaches this address may read and write every state; \
         start without --insecure-open to ask for keys"
    );
}
