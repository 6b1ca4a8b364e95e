//! What is said about a license: to people, in colours where there is a terminal, and to programs as JSON.
//!
//! Always true: a license that was verified with any other key than the vendor's is never shown without saying so.
//!
//! Read first: `license/mod.rs`, `terms.rs`.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::access::keyfile::format_time;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::license::{Found, License};
use crate::terms::{EVALUATION, Standing, Terms};

/// How it stands, and what it says.
#[derive(Serialize)]
pub struct Report {
    /// `evaluation`, `valid`, `grace` or `expired`.
    state: &'static str,
    /// The same, for people.
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// `vendor`, or the file of another key.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<TermsReport>,
    #[serde(skip)]
    standing: Option<Standing>,
}

#[derive(Serialize)]
struct TermsReport {
    id: String,
    customer: String,
    entitlement: String,
    tier: String,
    issued: String,
    expires: String,
    grace_ends: String,
    contact: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<String, String>,
}

impl Report {
    /// What to say of it at this Unix millisecond.
    pub fn of(found: &Found, wall_ms: u64) -> Report {
        match found {
            Found::Nothing => Report::evaluation("there is no license; Lux lacks nothing for it", None),
            Found::Unusable(error) => Report::evaluation(&error.message, Some(error.remedy.clone())),
            Found::License(license) => Report::of_license(license, wall_ms),
        }
    }

    fn evaluation(says: &str, remedy: Option<String>) -> Report {
        Report {
            state: EVALUATION,
            says: says.to_owned(),
            remedy,
            file: None,
            verified_with: None,
            license: None,
            standing: None,
        }
    }

    fn of_license(license: &License, wall_ms: u64) -> Report {
        let standing = license.terms.standing(wall_ms);
        let other_key = license.other_key.as_ref().map(|path| path.display().to_string());
        Report {
            state: standing.name(),
            says: says(&license.terms, standing),
            remedy: None,
            file: Some(license.file.display().to_string()),
            verified_with: Some(other_key.unwrap_or_else(|| VENDOR.to_owned())),
            license: Some(TermsReport::of(&license.terms)),
            standing: Some(standing),
        }
    }

    /// How it stands in one clause.
    pub fn says(&self) -> &str {
        &self.says
    }

    /// How it stands; none without a license.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Whether a license is in force, its grace included.
    pub fn holds(&self) -> bool {
        matches!(self.standing, Some(Standing::Valid | Standing::Grace))
    }

    /// Writes it to standard output.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn print(&self, is_json: bool) -> Result<(), Failure> {
        if is_json {
            let text = serde_json::to_string_pretty(self);
            let text =
                text.map_err(|error| Failure::operator(format!("no JSON ({error})"), "leave --json out"));
            return output::line(&text?);
        }
        let style = match self.standing {
            Some(Standing::Valid) => AnsiColor::Green.on_default(),
            Some(Standing::Grace | Standing::Early | Standing::Expired) => {
                AnsiColor::Yellow.on_default().bold()
            }
            None if self.remedy.is_some() => AnsiColor::Yellow.on_default().bold(),
            None => Style::new(),
        };
        output::styled(&format!("{style}{}{style:#}: {}", self.state, output::printable(&self.says)))?;
        if let Some(remedy) = &self.remedy {
            output::styled(&format!("{style}→{style:#} {remedy}"))?;
        }
        if let Some(key) = self.verified_with.as_deref().filter(|key| *key != VENDOR) {
            let loud = AnsiColor::Yellow.on_default().bold();
            output::styled(&format!("{loud}verified with a key from {key}, not the vendor's{loud:#}"))?;
        }
        let rows =
            self.license.as_ref().map(|license| license.rows(self.file.as_deref().unwrap_or_default()));
        output::columns(&rows.unwrap_or_default())
            .into_iter()
            .try_for_each(|row| output::line(&format!("  {row}")))
    }
}

const VENDOR: &str = "vendor";

impl TermsReport {
    fn of(terms: &Terms) -> TermsReport {
        TermsReport {
            id: terms.id.clone(),
            customer: terms.customer.clone(),
            entitlement: terms.entitlement.clone(),
            tier: terms.tier.clone(),
            issued: format_time(terms.issued_at_ms),
            expires: format_time(terms.expires_at_ms),
            grace_ends: format_time(terms.grace_ends_at_ms()),
            contact: terms.contact.clone(),
            others: terms.others.iter().cloned().collect(),
        }
    }

    fn rows(&self, file: &str) -> Vec<Vec<String>> {
        let own = [
            ("id", &*self.id),
            ("customer", &*self.customer),
            ("entitlement", &*self.entitlement),
            ("tier", &*self.tier),
            ("issued", &*self.issued),
            ("expires", &*self.expires),
            ("contact", &*self.contact),
        ];
        let others = self.others.iter().map(|(name, value)| (&**name, &**value));
        let all = own.into_iter().chain(others).chain([("file", file)]);
        all.map(|(name, value)| vec![name.to_owned(), value.to_owned()]).collect()
    }
}

fn says(terms: &Terms, standing: Standing) -> String {
    let (issued, expires) = (format_time(terms.issued_at_ms), format_time(terms.expires_at_ms));
    let who = format!("licensed to {}", terms.customer);
    match standing {
        Standing::Valid => format!("{who}, tier {}, until {expires}", terms.tier),
        Standing::Early => format!("{who} from {issued} on, which is still to come by this machine's clock"),
        Standing::Grace => {
            let end = format_time(terms.grace_ends_at_ms());
            format!("{who} until {expires}, which is over; renew it before {end}")
        }
        Standing::Expired => {
            format!("{who} until {expires}, which is over, and so is the grace; nothing stops")
        }
    }
}
