//! Compiled modules kept beside their sources, as `__scrcache__/NAME.scrc`.
//!
//! What is kept is never trusted: a file that is damaged, of another version, of another source or of another place is as if it were not there. Where no file
//! can be written, none is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::code::marshal::{self, Stamp};
use crate::code::unit::Unit;

/// The folder of compiled files, beside their sources.
const FOLDER: &str = "__scrcache__";

/// Where the compiled form of a source is kept; `None` for a path without a file's name.
pub(crate) fn place_of(source: &Path) -> Option<PathBuf> {
    let name = format!("{}.scrc", source.file_stem()?.to_str()?);
    Some(source.parent()?.join(FOLDER).join(name))
}

/// What identifies a source's text, without reading it. To be asked before the source is read: a change in between makes the kept file stale, not wrong.
pub(super) fn stamp_of(source: &Path) -> Option<Stamp> {
    let facts = std::fs::metadata(source).ok()?;
    let modified = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Stamp { modified: u64::try_from(modified.as_nanos()).ok()?, size: facts.len() })
}

/// The compiled form that was kept for the source with this stamp.
pub(super) fn load(source: &Path, stamp: Stamp) -> Option<Arc<Unit>> {
    let file = crate::os::file::read_regular(&place_of(source)?).ok()?;
    let unit = marshal::read(&file, stamp).ok()?;
    // A folder that was moved or copied: tracebacks have to name the file that was run.
    (Path::new(&*unit.filename) == source).then_some(unit)
}

/// Keeps the compiled form. Another program that reads at the same time sees the old file or the new one.
pub(super) fn store(source: &Path, stamp: Stamp, unit: &Unit) {
    let Some(place) = place_of(source) else { return };
    let Some(folder) = place.parent() else { return };
    let mut fresh = place.clone().into_os_string();
    fresh.push(format!(".{}.{:x}", std::process::id(), std::ptr::from_ref(unit) as usize));
    // What fails here (a read-only folder, a full disk) costs the next start some time, nothing else.
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&fresh, marshal::write(unit, stamp)));
    if written.and_then(|()| std::fs::rename(&fresh, &place)).is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
}
