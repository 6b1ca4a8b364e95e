//! Blocks to records.
//!
//! Always true: a record that is given out fitted its block's checksum. What does not fit is left out, with
//! where it stood; a file with anything left out is never whole.
//!
//! Read first: `layout.rs`.

use std::fmt;
use std::io;

use super::layout::{
    BlockHeader, END_BYTES, FileHeader, HEADER_BYTES, Kind, NoHeader, RECORD_BYTES, u32_at, u64_at,
};
use super::{Kept, Source};
use crate::ids::Rev;
use crate::key::Key;
use crate::wire::record::{Draft, Record};

/// Why nothing of a file is read.
#[derive(Debug)]
pub enum Refused {
    /// It is no snapshot.
    NotOurs,
    /// Its first bytes are not as they were written.
    Damaged,
    /// A newer Lux wrote it: its version.
    Newer(u32),
    /// The system does not let us.
    Io(io::Error),
}

/// A part of a file that is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// The records of one block are not as they were written.
    Block {
        /// Where it begins.
        at: u64,
        /// How many records it had.
        records: u32,
    },
    /// From here on there is no block that fits: the file was cut, or worse.
    Rest {
        /// Where.
        at: u64,
        /// How many bytes follow.
        bytes: u64,
    },
    /// The base does not end: what is there is a beginning.
    NoEnd,
    /// The blocks of the base are not those that were written.
    NotWhole,
}

/// Where one block stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its first record's first byte.
    pub at: u64,
    /// Its header.
    pub header: BlockHeader,
}

/// What a file holds, as its headers have it.
#[derive(Debug)]
pub struct Survey {
    /// Which of the files there have been.
    pub generation: u64,
    /// The blocks with records.
    pub places: Vec<Place>,
    /// How many blocks there are in all.
    pub blocks: u32,
    /// When the last of them was written, Unix milliseconds.
    pub last_ms: u64,
    /// Bytes from the beginning to where the last of them ends.
    pub len: u64,
    /// Of these, the bytes of the base.
    pub base_len: u64,
    /// What is left out already.
    pub damage: Vec<Damage>,
}

/// All that a file holds.
#[derive(Debug)]
pub struct Contents {
    /// Which of the files there have been.
    pub generation: u64,
    /// Records in the order of the file; of each key the highest revision counts.
    pub states: Vec<Kept>,
    /// When the last was written, Unix milliseconds.
    pub last_ms: u64,
    /// Bytes from the beginning to where the last block ends.
    pub len: u64,
    /// What is left out.
    pub damage: Vec<Damage>,
}

/// Goes from header to header.
///
/// # Errors
/// Why nothing of this can be read.
pub fn survey<S: Source + ?Sized>(source: &S) -> Result<Survey, Refused> {
    let len = source.len()?;
    let mut header = [0; HEADER_BYTES];
    if len < HEADER_BYTES as u64 {
        return Err(Refused::NotOurs);
    }
    source.read_at(0, &mut header)?;
    let FileHeader { generation, begun_ms } = FileHeader::read(&header)?;
    let mut survey = Survey {
        generation,
        places: Vec::new(),
        blocks: 0,
        last_ms: begun_ms,
        len: HEADER_BYTES as u64,
        base_len: 0,
        damage: Vec::new(),
    };
    let mut walk = Walk { whole: crc32fast::Hasher::new(), records: 0 };
    while survey.len < len {
        let Some((header, bytes)) = header_at(source, &survey, len)? else {
            survey.damage.push(Damage::Rest { at: survey.len, bytes: len - survey.len });
            break;
        };
        walk.take(source, &mut survey, header, &bytes)?;
    }
    if survey.base_len == 0 {
        survey.damage.push(Damage::NoEnd);
    }
    Ok(survey)
}

/// The header of the next block, if one stands there that fits.
fn header_at<S: Source + ?Sized>(
    source: &S,
    survey: &Survey,
    len: u64,
) -> io::Result<Option<(BlockHeader, [u8; HEADER_BYTES])>> {
    let mut bytes = [0; HEADER_BYTES];
    let left = (len - survey.len).saturating_sub(HEADER_BYTES as u64);
    if len - survey.len < HEADER_BYTES as u64 {
        return Ok(None);
    }
    source.read_at(survey.len, &mut bytes)?;
    let header = BlockHeader::read(&bytes, survey.generation);
    let fits = |header: &BlockHeader| header.number == survey.blocks && u64::from(header.len) <= left;
    Ok(header.filter(fits).map(|header| (header, bytes)))
}

/// What is counted on the way, to be compared at the end of the base.
struct Walk {
    whole: crc32fast::Hasher,
    records: u64,
}

impl Walk {
    fn take<S: Source + ?Sized>(
        &mut self,
        source: &S,
        survey: &mut Survey,
        header: BlockHeader,
        bytes: &[u8; HEADER_BYTES],
    ) -> io::Result<()> {
        let place = Place { at: survey.len + HEADER_BYTES as u64, header };
        survey.len = place.at + u64::from(header.len);
        survey.blocks += 1;
        survey.last_ms = survey.last_ms.max(header.at_ms);
        match header.kind {
            Kind::Base | Kind::Changes => {
                self.records += u64::from(header.count);
                survey.places.push(place);
            }
            Kind::End => {
                survey.base_len = survey.len;
                let payload = payload(source, &place)?;
                let is_whole = payload.is_some_and(|payload| {
                    payload.len() == END_BYTES
                        && u64_at(&payload, 0) == self.records
                        && u32_at(&payload, 8) == self.whole.clone().finalize()
                });
                if !is_whole {
                    survey.damage.push(Damage::NotWhole);
                }
            }
        }
        self.whole.update(bytes);
        Ok(())
    }
}

/// The records of one block, added to `states`; what is left out, if they are.
///
/// # Errors
/// What the system says.
pub fn read_block<S: Source + ?Sized>(
    source: &S,
    place: &Place,
    mut take: impl FnMut(Key, Record),
) -> io::Result<Option<Damage>> {
    let header = place.header;
    let damage = Damage::Block { at: place.at - HEADER_BYTES as u64, records: header.count };
    let Some(payload) = payload(source, place)? else { return Ok(Some(damage)) };
    let mut rest = &payload[..];
    for _ in 0..header.count {
        let Some((key, record, used)) = read_record(rest) else { return Ok(Some(damage)) };
        take(key, record);
        rest = &rest[used..];
    }
    Ok((!rest.is_empty()).then_some(damage))
}

/// The bytes of one block, unless they are not as they were written.
fn payload<S: Source + ?Sized>(source: &S, place: &Place) -> io::Result<Option<Vec<u8>>> {
    let mut payload = vec![0; place.header.len as usize];
    source.read_at(place.at, &mut payload)?;
    Ok((crc32fast::hash(&payload) == place.header.crc).then_some(payload))
}

fn read_record(bytes: &[u8]) -> Option<(Key, Record, usize)> {
    let head = bytes.get(..RECORD_BYTES)?;
    let (name_len, data_len) = (usize::from(head[0]), u32_at(head, 2) as usize);
    let used = RECORD_BYTES + name_len + data_len;
    let body = bytes.get(RECORD_BYTES..used)?;
    let (name, data) = body.split_at(name_len);
    let key = Key::parse(name).ok()?;
    let (rev, at_ms) = (Rev(u64_at(head, 6)), u64_at(head, 14));
    let record = match head[1] {
        0 => Draft::of_kept(&key, data).seal(&key, rev, at_ms),
        1 => Record::deletion(&key, rev, at_ms),
        _ => return None,
    };
    Some((key, record, used))
}

/// Reads a whole file.
///
/// # Errors
/// Why nothing of it can be read.
pub fn read_all<S: Source + ?Sized>(source: &S) -> Result<Contents, Refused> {
    let mut survey = survey(source)?;
    let (mut states, mut damage) = (Vec::new(), std::mem::take(&mut survey.damage));
    for place in &survey.places {
        damage.extend(read_block(source, place, |key, record| states.push((key, record)))?);
    }
    let Survey { generation, last_ms, len, .. } = survey;
    Ok(Contents { generation, states, last_ms, len, damage })
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Io(error)
    }
}

impl From<NoHeader> for Refused {
    fn from(no: NoHeader) -> Refused {
        match no {
            NoHeader::NotOurs => Refused::NotOurs,
            NoHeader::Damaged => Refused::Damaged,
            NoHeader::Newer(version) => Refused::Newer(version),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotOurs => write!(f, "it is no snapshot of Lux"),
            Refused::Damaged => write!(f, "its first bytes are damaged"),
            Refused::Newer(version) => write!(f, "a newer Lux wrote it (version {version})"),
            Refused::Io(error) => write!(f, "it cannot be read ({error})"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Block { at, records } => write!(f, "the block at byte {at} ({records} records)"),
            Damage::Rest { at, bytes } => write!(f, "everything from byte {at} on ({bytes} bytes)"),
            Damage::NoEnd => write!(f, "the end of the base"),
            Damage::NotWhole => write!(f, "the base as a whole"),
        }
    }
}
