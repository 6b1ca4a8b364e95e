//! What becomes of a snapshot that is cut anywhere, or has any bit flipped.
//!
//! Always true: whatever is done to a file, what is read from it was written to it, and a file that is not as
//! it was written is never taken for whole.
//!
//! Read first: `snapshot/mod.rs`.

use proptest::prelude::*;

use super::layout::{FileHeader, HEADER_BYTES, Kind, VERSION};
use super::mark::{MARK_BYTES, Mark};
use super::read::{Damage, Refused, read_all};
use super::write::Blocks;
use super::{Kept, Source};
use crate::ids::{Epoch, Rev};
use crate::key::Key;
use crate::wire::record::{Draft, Record};

fn key(name: &str) -> Key {
    Key::parse(name.as_bytes()).unwrap()
}

fn state(name: &str, rev: u64, data: &str) -> Kept {
    let key = key(name);
    let record = Draft::of_kept(&key, data.as_bytes()).seal(&key, Rev(rev), 1_000 + rev);
    (key, record)
}

fn deletion(name: &str, rev: u64) -> Kept {
    (key(name), Record::deletion(&key(name), Rev(rev), 1_000 + rev))
}

fn line((key, record): &Kept) -> (String, String) {
    (key.to_string(), String::from_utf8(record.json().to_vec()).unwrap())
}

/// A file of one base and one block for each list of changes.
fn file(generation: u64, base: &[Kept], changes: &[Vec<Kept>]) -> Vec<u8> {
    let (mut blocks, header) = Blocks::begin(generation, 7);
    let mut file = header.to_vec();
    for part in base.chunks(2) {
        part.iter().for_each(|(key, record)| blocks.push(key, record));
        file.extend_from_slice(blocks.seal(Kind::Base, 8));
        blocks.next();
    }
    file.extend_from_slice(blocks.seal_end(9));
    blocks.next();
    for part in changes {
        part.iter().for_each(|(key, record)| blocks.push(key, record));
        file.extend_from_slice(blocks.seal(Kind::Changes, 10));
        blocks.next();
    }
    file
}

fn small() -> (Vec<u8>, Vec<Kept>) {
    let base = vec![state("a", 3, "{\"n\":1}"), state("b", 1, "null"), state("long-key.~:1", 9, "[1,2,3]")];
    let changes = vec![vec![deletion("b", 2)], vec![state("a", 4, "\"four\""), state("c", 1, "0")]];
    let all = base.iter().chain(changes.iter().flatten()).cloned().collect();
    (file(5, &base, &changes), all)
}

/// Nothing that was not written, and not taken for whole; says how many records were read.
fn check_spoiled(bytes: &[u8], written: &[(String, String)], what: &str) -> usize {
    let Ok(contents) = read_all(bytes) else { return 0 };
    assert!(!contents.damage.is_empty(), "{what} is taken for whole");
    let read: Vec<_> = contents.states.iter().map(line).collect();
    for state in &read {
        assert!(written.contains(state), "{what}: {state:?} was never written");
    }
    read.len()
}

#[test]
fn what_is_written_is_read_back() {
    let (bytes, written) = small();
    let contents = read_all(&bytes[..]).unwrap();
    assert_eq!(contents.damage, []);
    assert_eq!((contents.len, contents.last_ms), (bytes.len() as u64, 10));
    let lines = |states: &[Kept]| states.iter().map(line).collect::<Vec<_>>();
    assert_eq!(lines(&contents.states), lines(&written));
    let empty = read_all(&file(1, &[], &[])[..]).unwrap();
    assert!(empty.states.is_empty() && empty.damage.is_empty());
}

#[test]
fn cut_at_every_byte_it_is_never_more_than_a_beginning() {
    let (file, written) = small();
    let written: Vec<_> = written.iter().map(line).collect();
    let mut ends = Vec::new();
    let mut most = 0;
    for cut in 0..file.len() {
        match read_all(&file[..cut]) {
            // Where one block of changes ends and the next does not begin, only its mark knows of more.
            Ok(contents) if contents.damage.is_empty() => {
                assert_eq!(contents.len, cut as u64);
                let read: Vec<_> = contents.states.iter().map(line).collect();
                assert_eq!(read, written[..read.len()]);
                ends.push(cut);
            }
            Ok(_) | Err(_) => {
                let read = check_spoiled(&file[..cut], &written, &format!("cut at {cut}"));
                assert!(read >= most, "a longer beginning has no less in it");
                most = read;
            }
        }
    }
    assert_eq!(ends.len(), 2, "behind the base, and between the changes: {ends:?}");
}

#[test]
fn with_any_bit_flipped_it_is_not_whole() {
    let (file, written) = small();
    let written: Vec<_> = written.iter().map(line).collect();
    let mut kept = 0;
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        kept += usize::from(check_spoiled(&flipped, &written, &format!("bit {bit}")) > 0);
    }
    assert!(kept > file.len() * 4, "most flips cost one block and no more: {kept} of {}", file.len() * 8);
}

#[test]
fn a_block_of_another_file_or_place_is_not_believed() {
    let other = file(6, &[state("a", 99, "1")], &[]);
    let (file, written) = small();
    let written: Vec<_> = written.iter().map(line).collect();
    let swapped = [&file[..HEADER_BYTES], &other[HEADER_BYTES..]].concat();
    assert_eq!(check_spoiled(&swapped, &written, "the blocks of another generation"), 0);
    // The last block a second time, as a disk that repeats a write would leave it.
    let last = read_all(&file[..]).unwrap().len as usize - 100;
    let doubled = [&file[..], &file[last..]].concat();
    let contents = read_all(&doubled[..]).unwrap();
    assert_eq!(contents.states.len(), written.len());
    assert!(matches!(contents.damage[..], [Damage::Rest { bytes: 100, .. }]), "{:?}", contents.damage);
}

#[test]
fn what_is_no_snapshot_or_a_newer_one_is_refused_whole() {
    for bytes in [&b""[..], b"short", b"[[key]]\nname = \"a file of somebody else\"\n", &[0; 500]] {
        assert!(matches!(read_all(bytes), Err(Refused::NotOurs)));
    }
    let (mut file, _) = small();
    file[8] = VERSION as u8 + 1;
    let crc = crc32fast::hash(&file[..28]);
    file[28..32].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(read_all(&file[..]), Err(Refused::Newer(2))), "not for damaged, since it is none");
    assert!(FileHeader::read(&[0; HEADER_BYTES]).is_err());
}

#[test]
fn a_mark_with_any_bit_flipped_or_cut_is_none() {
    let mark = Mark {
        epoch: Epoch::from_bits(77),
        generation: 5,
        len: 1_234,
        floor: (Rev(8), 99),
        stopped_ms: 1_782_000_000_000,
    };
    let bytes = mark.bytes();
    assert_eq!(Mark::read(&bytes), Some(mark));
    for bit in 0..MARK_BYTES * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Mark::read(&flipped), None, "bit {bit}");
    }
    assert!((0..MARK_BYTES).all(|cut| Mark::read(&bytes[..cut]).is_none()));
}

#[test]
fn a_source_ends_where_it_ends() {
    let bytes = &[1, 2, 3][..];
    let mut two = [0; 2];
    assert!(bytes.read_at(1, &mut two).is_ok() && two == [2, 3]);
    assert!(bytes.read_at(2, &mut two).is_err() && bytes.read_at(9, &mut two).is_err());
}

fn any_kept() -> impl Strategy<Value = Kept> {
    let name = "[a-z][A-Za-z0-9._~:-]{0,60}";
    (name, 1..u64::MAX, any::<u64>(), any::<bool>(), 0..2_000_usize).prop_filter_map(
        "a reserved key",
        |(name, rev, at_ms, is_deleted, len)| {
            let key = Key::parse(name.as_bytes()).ok()?;
            let data = format!("\"{}\"", "x".repeat(len));
            let record = match is_deleted {
                true => Record::deletion(&key, Rev(rev), at_ms),
                false => Draft::of_kept(&key, data.as_bytes()).seal(&key, Rev(rev), at_ms),
            };
            Some((key, record))
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        base in prop::collection::vec(any_kept(), 0..20),
        changes in prop::collection::vec(prop::collection::vec(any_kept(), 1..5), 0..5),
        generation in any::<u64>(),
    ) {
        let bytes = file(generation, &base, &changes);
        let contents = read_all(&bytes[..]).unwrap();
        prop_assert_eq!(contents.damage, []);
        let written: Vec<_> = base.iter().chain(changes.iter().flatten()).map(line).collect();
        let read: Vec<_> = contents.states.iter().map(line).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn whatever_is_spoiled_is_never_invented(
        base in prop::collection::vec(any_kept(), 1..9),
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut bytes = file(3, &base, &[]);
        let written: Vec<_> = base.iter().map(line).collect();
        let clean = bytes.clone();
        for (at, byte) in spoils {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        prop_assume!(bytes != clean);
        check_spoiled(&bytes, &written, "spoiled");
    }
}
