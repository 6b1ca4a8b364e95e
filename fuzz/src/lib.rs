//! What the fuzz targets hold the broker against: slow, plain second implementations, written from the RFCs.
//!
//! Always true: nothing here calls the code that it judges. Each is as simple as it can be, and may be slow.
//!
//! Read first: `targets/body.rs` with `src/body.rs`, the smallest pair.

#![forbid(unsafe_code)]

pub mod body;
pub mod cuts;
pub mod ear;
pub mod events;
pub mod frames;
pub mod head;
pub mod house;
pub mod json;
pub mod lists;
pub mod merge;
pub mod names;
pub mod words;
