//! The page the broker serves at `/`, and the SDK at `/lux.js` and beside it: files built into the binary.
//!
//! Always true: everything the page asks for is in the table below and comes from this broker; nothing in it
//! is inline, so that [`CONTENT_SECURITY_POLICY`] can forbid what is.
//!
//! Read first: `index.html`, then `app.js`.

/// One file as it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The path it is served at, query excluded.
    pub path: &'static str,
    /// Its media type, as `Content-Type` says it.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
}

/// What a browser is to hold the page to: its own modules and style, and streams of this broker.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The file served at this path, or none.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file of the console, at `/_console/` and its name.
macro_rules! console_file {
    ($name:literal, $content_type:expr) => {
        Asset {
            path: concat!("/_console/", $name),
            content_type: $content_type,
            bytes: include_bytes!($name),
        }
    };
}

/// A module of the SDK, at its name.
macro_rules! sdk_file {
    ($name:literal) => {
        Asset {
            path: concat!("/", $name),
            content_type: SCRIPT,
            bytes: include_bytes!(concat!("../../sdk/", $name)),
        }
    };
}

static ASSETS: &[Asset] = &[
    Asset { path: "/", content_type: HTML, bytes: include_bytes!("index.html") },
    sdk_file!("lux.js"),
    sdk_file!("lux-element.js"),
    sdk_file!("lux-handover.js"),
    sdk_file!("lux-react.js"),
    sdk_file!("lux-shared.js"),
    sdk_file!("lux-socket.js"),
    console_file!("style.css", STYLE),
    console_file!("access.js", SCRIPT),
    console_file!("app.js", SCRIPT),
    console_file!("bar.js", SCRIPT),
    console_file!("cards.js", SCRIPT),
    console_file!("commands.js", SCRIPT),
    console_file!("connection.js", SCRIPT),
    console_file!("curves.js", SCRIPT),
    console_file!("detail.js", SCRIPT),
    console_file!("dom.js", SCRIPT),
    console_file!("exact.js", SCRIPT),
    console_file!("explain.js", SCRIPT),
    console_file!("field.js", SCRIPT),
    console_file!("format.js", SCRIPT),
    console_file!("frame.js", SCRIPT),
    console_file!("gate.js", SCRIPT),
    console_file!("glow.js", SCRIPT),
    console_file!("history.js", SCRIPT),
    console_file!("keyboard.js", SCRIPT),
    console_file!("license.js", SCRIPT),
    console_file!("list.js", SCRIPT),
    console_file!("rate.js", SCRIPT),
    console_file!("row.js", SCRIPT),
    console_file!("session.js", SCRIPT),
    console_file!("store.js", SCRIPT),
    console_file!("theme.js", SCRIPT),
    console_file!("tree.js", SCRIPT),
    console_file!("viewers.js", SCRIPT),
    console_file!("wall.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.bytes).unwrap()
    }

    /// What stands between two marks, each time they occur.
    fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
        text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
    }

    #[test]
    fn the_page_the_sdk_and_nothing_else_have_addresses() {
        assert_eq!(find("/").unwrap().content_type, HTML);
        assert_eq!(find("/lux.js").unwrap().content_type, SCRIPT);
        assert_eq!(find("/_console/style.css").unwrap().content_type, STYLE);
        for path in ["", "/index.html", "/_console/", "/_console/mod.rs", "/_console/../lux.js", "/app.js"] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn every_file_that_the_page_asks_for_is_there() {
        let page = text(find("/").unwrap());
        for address in between(page, "\"/_console/", "\"") {
            assert!(find(&format!("/_console/{address}")).is_some(), "{address}");
        }
        for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            let (folder, _) = asset.path.rsplit_once('/').unwrap();
            for name in between(text(asset), "from './", "'") {
                assert!(find(&format!("{folder}/{name}")).is_some(), "{} imports {name}", asset.path);
            }
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        let page = text(find("/").unwrap());
        for forbidden in ["style=", "<style", "onclick", "onload", "<script>", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let own = ASSETS.iter().filter(|asset| asset.path.starts_with("/_console/"));
        for asset in own {
            for forbidden in ["innerHTML", "https://", "http://", "eval(", "@import"] {
                assert!(!text(asset).contains(forbidden), "{forbidden} in {}", asset.path);
            }
        }
    }
}
