//! The example pages, as `lux demo` serves them under `/examples`: built into the binary, for the demo alone.
//!
//! Always true: `lux serve` knows nothing of them; a request that is none of theirs means what it means to every broker. The pages
//! are the very files in `examples/`, the pictures those that the scorecard took.
//!
//! Read first: `conn/manners.rs`; then `gallery.js`.

use bytes::Bytes;

use crate::conn::call::{Call, Exchange, Reply};
use crate::conn::manners::Manners;
use crate::conn::route::{self, House, Plan};
use crate::console::Asset;
use crate::time::Now;
use crate::wire::WireError;
use crate::wire::request::{Head, Method};

/// The broker's manners, and the gallery.
pub fn manners() -> Manners {
    Manners { plan, ..Manners::default() }
}

fn plan(head: &Head<'_>, house: &House, now: Now) -> Result<Plan, WireError> {
    let wants_page = matches!(head.method, Method::Get | Method::Head);
    match find(head.path) {
        Some(asset) if wants_page => {
            let bytes = Bytes::from_static(asset.bytes);
            let call = Call::Answered(Reply::File { content_type: asset.content_type, bytes });
            Ok(Plan::Ready(Exchange { call, format: route::format(head, house) }))
        }
        Some(_) | None => route::plan(head, house, now),
    }
}

fn find(path: &str) -> Option<&'static Asset> {
    // Any other request is told apart by its first letters.
    let is_below = path.starts_with("/examples");
    is_below.then(|| SHARED.iter().chain(BOARDS.as_flattened()).find(|asset| asset.path == path)).flatten()
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/webp";
const DRAWING: &str = "image/svg+xml";

/// A file of `examples/`, at its own place under `/examples/`.
macro_rules! example {
    ($name:literal, $content_type:expr) => {
        Asset {
            path: concat!("/examples/", $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../examples/", $name)),
        }
    };
}

/// A file that stands beside this one.
macro_rules! own {
    ($path:literal, $name:literal, $content_type:expr) => {
        Asset { path: $path, content_type: $content_type, bytes: include_bytes!($name) }
    };
}

/// The page of an example, which is asked for by its folder, and its picture.
macro_rules! board {
    ($folder:literal) => {
        [
            Asset {
                path: concat!("/examples/", $folder, "/"),
                content_type: HTML,
                bytes: include_bytes!(concat!("../../../../examples/", $folder, "/index.html")),
            },
            Asset {
                path: concat!("/examples/", $folder, "/main.js"),
                content_type: SCRIPT,
                bytes: include_bytes!(concat!("../../../../examples/", $folder, "/main.js")),
            },
            Asset {
                path: concat!("/examples/", $folder, "/page.css"),
                content_type: STYLE,
                bytes: include_bytes!(concat!("../../../../examples/", $folder, "/page.css")),
            },
            Asset {
                path: concat!("/examples/pictures/", $folder, ".webp"),
                content_type: PICTURE,
                bytes: include_bytes!(concat!("../../../../docs/pictures/example-", $folder, ".webp")),
            },
        ]
    };
}

static BOARDS: [[Asset; 4]; 9] = [
    board!("live-dashboard"),
    board!("edge-device-status"),
    board!("internal-ops-board"),
    board!("collaborative-ui-state"),
    board!("agent-workflow-state"),
    board!("cdc-live-projection"),
    board!("deployment-board"),
    board!("live-job-progress"),
    board!("settings-admin"),
];

static SHARED: [Asset; 9] = [
    own!("/examples", "index.html", HTML),
    own!("/examples/", "index.html", HTML),
    own!("/examples/gallery.js", "gallery.js", SCRIPT),
    own!("/examples/gallery.css", "gallery.css", STYLE),
    example!("shared/page.css", STYLE),
    example!("shared/page.js", SCRIPT),
    example!("shared/icon.svg", DRAWING),
    example!("live-dashboard/board.js", SCRIPT),
    example!("live-dashboard/curve.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_page_asks_for_is_there_and_none_comes_from_elsewhere() {
        for page in SHARED.iter().chain(BOARDS.as_flattened()).filter(|asset| asset.content_type == HTML) {
            let text = std::str::from_utf8(page.bytes).unwrap();
            for forbidden in ["style=", "<style", "onclick", "<script>", "https://"] {
                assert!(!text.contains(forbidden), "{forbidden} in {}", page.path);
            }
            for attribute in ["src=\"", "<link rel=\"stylesheet\" href=\"", "<link rel=\"icon\" href=\""] {
                for rest in text.split(attribute).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let folder = page.path.trim_end_matches('/');
                    let address = match name.strip_prefix("../") {
                        Some(shared) => format!("/examples/{shared}"),
                        None if name.starts_with('/') => name.to_owned(),
                        None => format!("{folder}/{name}"),
                    };
                    assert!(find(&address).is_some(), "{} asks for {address}", page.path);
                }
            }
        }
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        for module in SHARED.iter().chain(BOARDS.as_flattened()).filter(|asset| asset.content_type == SCRIPT)
        {
            let text = std::str::from_utf8(module.bytes).unwrap();
            let folder = module.path.rsplit_once('/').unwrap().0;
            for rest in text.split("} from '").skip(1) {
                let name = rest.split('\'').next().unwrap();
                let address = match name.strip_prefix("./") {
                    Some(beside) => format!("{folder}/{beside}"),
                    None => name.replace("../", "/examples/"),
                };
                assert!(find(&address).is_some(), "{} imports {address}", module.path);
            }
        }
    }

    #[test]
    fn nothing_else_below_it_has_an_address() {
        for path in ["/examples/live-dashboard", "/examples/live-dashboard/producer.py", "/", "/lux.js"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
