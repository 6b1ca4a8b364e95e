//! The broker as its HTTP clients here see it: an address, a key, requests and replies.
//!
//! Always true: the API key goes in the `Authorization` field and never into a URL; no proxy of the
//! environment and no redirection takes it anywhere else.
//!
//! Read first: `failure.rs`.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use ureq::http::{Request, Response, Uri};
use ureq::{Agent, Body};

use super::failure::Failure;
use super::trust::{Trust, TrustArgs};
use crate::access::Secret;

/// Where a broker listens unless told otherwise.
pub const BROKER_DEFAULT: &str = "http://127.0.0.1:7373";
const API_PATH: &str = "/api/lux";
/// A reply is a record, or a page of them; the broker ends a page at a few megabytes.
const REPLY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Which broker, and with which key.
#[derive(Args, Clone)]
pub struct BrokerArgs {
    /// The broker's address
    #[arg(long, value_name = "URL", env = "LUX_BROKER", default_value = BROKER_DEFAULT, value_parser = BrokerUrl::parse)]
    pub broker: BrokerUrl,

    /// The API key, or a token; better set as LUX_API_KEY, since other users of this machine see what is typed
    #[arg(long, value_name = "KEY", env = "LUX_API_KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// Which brokers to believe over TLS.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// A broker's address: scheme, authority and, behind a reverse proxy, a path in front of `/api/lux`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerUrl {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host and port, as in the URL.
    pub authority: String,
    path: String,
}

/// Requests to one broker.
pub struct Client {
    agent: Agent,
    broker: BrokerUrl,
    authorization: Option<String>,
}

/// What the broker answered.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// `ETag`, with its quotes.
    pub etag: Option<String>,
    /// The body as text.
    pub body: String,
}

/// One request under `/api/lux`.
pub struct Ask<'a> {
    /// GET, PUT, PATCH or DELETE.
    pub method: &'a str,
    /// What follows `/api/lux`.
    pub path: &'a str,
    /// Fields beside the key's.
    pub fields: Vec<(&'static str, String)>,
    /// The body, if there is one.
    pub body: Option<&'a str>,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl BrokerArgs {
    /// The API key, if one was given; a variable that is set to nothing counts as none.
    ///
    /// # Errors
    /// What was given is no API key. The message does not repeat it.
    pub fn api_key(&self) -> Result<Option<Secret>, Failure> {
        let given = self.api_key.as_deref().map(str::trim).filter(|text| !text.is_empty());
        given.map(Secret::parse_shown).transpose().map_err(|why| {
            let remedy = format!("{why}; set LUX_API_KEY to one that the broker knows");
            Failure::operator("what was given as the API key is none", remedy)
        })
    }

    /// A client for this broker.
    ///
    /// # Errors
    /// As [`BrokerArgs::api_key`].
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.broker.clone(), self.api_key()?.as_ref(), &self.trust.read()?))
    }
}

impl BrokerUrl {
    /// Reads an address as typed: with or without a scheme, with or without `/api/lux` at its end.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<BrokerUrl, String> {
        let shape = || format!("write the broker's address as {BROKER_DEFAULT}");
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = full.parse().map_err(|_| shape())?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            Some(_) | None => return Err(shape()),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).filter(|text| !text.is_empty());
        let authority = authority.ok_or_else(shape)?.to_owned();
        if authority.contains('@') || uri.query().is_some() {
            return Err(format!("{}, without a user, a key or a query", shape()));
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix(API_PATH).unwrap_or(path).to_owned();
        Ok(BrokerUrl { tls, authority, path })
    }

    /// The URL of something under `/api/lux`, for HTTP.
    pub fn http(&self, path: &str) -> String {
        format!("{self}{API_PATH}{path}")
    }

    /// The URL of something under `/api/lux`, for a WebSocket.
    pub fn websocket(&self, path: &str) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}{API_PATH}{path}", self.authority, self.path)
    }
}

impl std::fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl Client {
    /// A client that keeps its connection between requests.
    pub fn new(broker: BrokerUrl, key: Option<&Secret>, trust: &Trust) -> Client {
        let config = Agent::config_builder()
            .tls_config(trust.for_requests())
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("lux/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Client { agent: config.new_agent(), broker, authorization: key.map(bearer) }
    }

    /// Sends one request and reads the whole reply, whatever its status.
    ///
    /// # Errors
    /// The broker cannot be reached, or does not speak HTTP.
    pub fn send(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let mut request = Request::builder().method(ask.method).uri(self.broker.http(ask.path));
        for (name, value) in &ask.fields {
            request = request.header(*name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let sent = match ask.body {
            Some(body) => request.body(body).map_err(ureq::Error::from).and_then(|full| self.agent.run(full)),
            None => request.body(()).map_err(ureq::Error::from).and_then(|full| self.agent.run(full)),
        };
        sent.and_then(read_reply).map_err(|error| unreachable_broker(&self.broker, &error))
    }

    /// As [`Client::send`], for requests that only a 2xx answers well.
    ///
    /// # Errors
    /// Also [`Failure::Refused`] with the broker's own words.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let reply = self.send(ask)?;
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(refused(&reply)) }
    }
}

/// The `Authorization` field of a key.
pub fn bearer(key: &Secret) -> String {
    format!("Bearer {}", key.reveal())
}

/// What the broker said, as a failure.
pub fn refused(reply: &Reply) -> Failure {
    Failure::Refused(match (reply.status, &reply.etag) {
        // The body is the record as it is now, for a key that may read it.
        (412, Some(etag)) => format!("the state is another by now: {etag} {}", reply.body.trim()),
        (status, _) => refusal(status, &reply.body),
    })
}

/// A status and an error body in one sentence.
pub fn refusal(status: u16, body: &str) -> String {
    match serde_json::from_str::<ErrorBody>(body) {
        Ok(error) => format!("the broker said no ({status}): {}", error.message),
        Err(_) => format!("the broker said no ({status}), without words that Lux knows"),
    }
}

fn read_reply(mut response: Response<Body>) -> Result<Reply, ureq::Error> {
    let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = response.body_mut().with_config().limit(REPLY_BYTES_MAX).read_to_string()?;
    Ok(Reply { status: response.status().as_u16(), etag, body })
}

fn unreachable_broker(broker: &BrokerUrl, error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::Io(error) => plain_io(error),
        other => other.to_string(),
    };
    let remedy = match why.contains("certificate") {
        true => "if it is yours, believe its certificate with --cacert FILE or LUX_CACERT",
        false => "start one with `lux serve`, or say where it is with --broker or LUX_BROKER",
    };
    Failure::operator(format!("no broker answers at {broker} ({why})"), remedy)
}

/// An error of the system without its number, in lower case as a clause.
pub fn plain_io(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    let mut letters = plain.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BrokerUrl {
        BrokerUrl::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, http, websocket) in [
            (BROKER_DEFAULT, "http://127.0.0.1:7373/api/lux/a", "ws://127.0.0.1:7373/api/lux/a"),
            ("localhost:80/", "http://localhost:80/api/lux/a", "ws://localhost:80/api/lux/a"),
            ("https://lux.example", "https://lux.example/api/lux/a", "wss://lux.example/api/lux/a"),
            ("wss://x.example/lux/", "https://x.example/lux/api/lux/a", "wss://x.example/lux/api/lux/a"),
            ("http://x.example/api/lux", "http://x.example/api/lux/a", "ws://x.example/api/lux/a"),
            ("http://[::1]:7373", "http://[::1]:7373/api/lux/a", "ws://[::1]:7373/api/lux/a"),
        ] {
            assert_eq!(
                (url(text).http("/a").as_str(), url(text).websocket("/a").as_str()),
                (http, websocket)
            );
        }
        for wrong in ["", "ftp://x", "http://", "http://me:secret@x", "http://x/?apiKey=abc", "http://a b"] {
            assert!(BrokerUrl::parse(wrong).unwrap_err().contains(BROKER_DEFAULT), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_brokers_words() {
        let body = "{\"error\":\"forbidden\",\"message\":\"this key may not write `a`\"}";
        assert_eq!(refusal(403, body), "the broker said no (403): this key may not write `a`");
        assert!(refusal(502, "<html>").contains("502"));
    }

    #[test]
    fn a_wrong_key_is_not_repeated() {
        let args = BrokerArgs {
            broker: url(BROKER_DEFAULT),
            api_key: Some("short-one".to_owned()),
            trust: TrustArgs::default(),
        };
        let Err(Failure::Operator(error)) = args.api_key() else { panic!("it is too short") };
        assert!(!error.to_string().contains("short-one") && error.remedy.contains("16"));
        let empty = BrokerArgs { api_key: Some(String::new()), ..args };
        assert!(empty.api_key().unwrap().is_none());
    }
}
