//! Files, folders and descriptors: libc's calls, made safe.
#![allow(unsafe_code, reason = "calls libc; paths are NUL-terminated copies, buffers are passed with their own length")]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A path for libc; the caller has refused embedded NULs.
fn c_path(path: &[u8]) -> io::Result<CString> {
    CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn std_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn check(result: libc::c_int) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Opens a file; the descriptor is not inherited by child processes.
pub(crate) fn open(path: &[u8], flags: i32, mode: u32) -> io::Result<i32> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, mode) })
}

/// Closes a descriptor.
pub(crate) fn close(fd: i32) -> io::Result<()> {
    // SAFETY: closing a descriptor touches no memory of ours.
    check(unsafe { libc::close(fd) }).map(drop)
}

/// Closes the descriptors from `low` up to `high`, those of them that are open.
pub(crate) fn close_range(low: i32, high: i32) {
    let low = low.max(0);
    if low >= high {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        // SAFETY: closing descriptors touches no memory of ours.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, low, high - 1, 0) };
        if closed == 0 {
            return;
        }
    }
    // SAFETY: asks for a number.
    let most = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    for fd in low..high.min(i32::try_from(most).unwrap_or(i32::MAX)) {
        let _ = close(fd);
    }
}

/// Reads at most as much as the buffer holds.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as we say.
    check_size(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len().min(0x7fff_f000)) })
}

/// As `read`, but fails with `WouldBlock` where that would wait; fails as [`is_unsupported`] says where the system cannot tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_now(fd: i32, buffer: &mut [u8]) -> io::Result<usize> {
    let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len().min(0x7fff_f000) };
    // SAFETY: one part, as long as the buffer.
    check_size(unsafe { libc::preadv2(fd, &raw const part, 1, -1, libc::RWF_NOWAIT) })
}

/// As `write`, but fails with `WouldBlock` where that would wait; fails as [`is_unsupported`] says where the system cannot tell.
#[cfg(target_os = "linux")]
pub(crate) fn write_now(fd: i32, bytes: &[u8]) -> io::Result<usize> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len().min(0x7fff_f000) };
    // SAFETY: one part, as long as the bytes, which are only read.
    check_size(unsafe { libc::pwritev2(fd, &raw const part, 1, -1, libc::RWF_NOWAIT) })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read_now(_: i32, _: &mut [u8]) -> io::Result<usize> {
    Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn write_now(_: i32, _: &[u8]) -> io::Result<usize> {
    Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

/// Whether the system does not know how to do it without waiting.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS))
}

/// Reads at a place without moving.
pub(crate) fn read_at(fd: i32, buffer: &mut [u8], offset: i64) -> io::Result<usize> {
    // SAFETY: the buffer is as long as we say.
    check_size(unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), buffer.len().min(0x7fff_f000), offset) })
}

/// Writes; says how much of it was.
pub(crate) fn write(fd: i32, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as we say.
    check_size(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len().min(0x7fff_f000)) })
}

/// Writes at a place without moving.
pub(crate) fn write_at(fd: i32, bytes: &[u8], offset: i64) -> io::Result<usize> {
    // SAFETY: the buffer is as long as we say.
    check_size(unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len().min(0x7fff_f000), offset) })
}

/// Moves the place of reading and writing.
pub(crate) fn seek(fd: i32, offset: i64, whence: i32) -> io::Result<i64> {
    // SAFETY: touches no memory of ours.
    let place = unsafe { libc::lseek(fd, offset, whence) };
    if place < 0 { Err(io::Error::last_os_error()) } else { Ok(place) }
}

/// Whether the descriptor is a terminal.
pub(crate) fn is_terminal(fd: i32) -> bool {
    // SAFETY: touches no memory of ours.
    unsafe { libc::isatty(fd) == 1 }
}

/// Another descriptor for the same file.
pub(crate) fn duplicate(fd: i32) -> io::Result<i32> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) })
}

/// Makes `to` another descriptor for `from`.
pub(crate) fn duplicate_to(from: i32, to: i32, inheritable: bool) -> io::Result<i32> {
    if inheritable || from == to {
        // SAFETY: touches no memory of ours.
        return check(unsafe { libc::dup2(from, to) });
    }
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::dup3(from, to, libc::O_CLOEXEC) })
}

/// The bytes of a regular file. Anything else is an error at once: a pipe may never say anything, and a device never end.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    // Not to wait for a pipe's other end.
    let mut file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// For `pipe`: child processes do not inherit it.
pub(crate) const CLOSE_ON_EXEC: i32 = libc::O_CLOEXEC;

/// A pipe: the end to read from and the end to write to.
pub(crate) fn pipe(flags: i32) -> io::Result<(i32, i32)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    Ok((ends[0], ends[1]))
}

/// Flags of a descriptor: whether child processes inherit it.
pub(crate) fn is_inheritable(fd: i32) -> io::Result<bool> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC == 0)
}

/// Sets whether child processes inherit it.
pub(crate) fn set_inheritable(fd: i32, inheritable: bool) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, if inheritable { 0 } else { libc::FD_CLOEXEC }) }).map(drop)
}

/// Whether reads and writes may block.
pub(crate) fn is_blocking(fd: i32) -> io::Result<bool> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_GETFL) }).map(|flags| flags & libc::O_NONBLOCK == 0)
}

/// Sets whether reads and writes may block.
pub(crate) fn set_blocking(fd: i32, blocking: bool) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let flags = if blocking { flags & !libc::O_NONBLOCK } else { flags | libc::O_NONBLOCK };
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

/// Cuts or extends a file.
pub(crate) fn truncate(fd: i32, length: i64) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::ftruncate(fd, length) }).map(drop)
}

/// Cuts or extends a file by its path.
pub(crate) fn truncate_path(path: &[u8], length: i64) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::truncate(path.as_ptr(), length) }).map(drop)
}

/// Waits until what was written is on the device.
pub(crate) fn sync(fd: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fsync(fd) }).map(drop)
}

/// What the system says of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) mode: u32,
    pub(crate) inode: u64,
    pub(crate) device: u64,
    pub(crate) n_links: u64,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) size: i64,
    /// Nanoseconds since 1970, as are the next two.
    pub(crate) accessed: i128,
    pub(crate) modified: i128,
    pub(crate) changed: i128,
    pub(crate) block_size: i64,
    pub(crate) n_blocks: i64,
    pub(crate) special_device: u64,
}

impl Status {
    fn of(stat: &libc::stat) -> Self {
        let time = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self {
            mode: stat.st_mode,
            inode: stat.st_ino,
            device: stat.st_dev,
            n_links: stat.st_nlink,
            user: stat.st_uid,
            group: stat.st_gid,
            size: stat.st_size,
            accessed: time(stat.st_atime, stat.st_atime_nsec),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            block_size: stat.st_blksize,
            n_blocks: stat.st_blocks,
            special_device: stat.st_rdev,
        }
    }

    fn is_type(&self, bits: u32) -> bool {
        self.mode & libc::S_IFMT == bits
    }
    pub(crate) fn is_dir(&self) -> bool {
        self.is_type(libc::S_IFDIR)
    }
}

/// The status of an open file.
pub(crate) fn status_of(fd: i32) -> io::Result<Status> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the structure is ours.
    check(unsafe { libc::fstat(fd, stat.as_mut_ptr()) })?;
    // SAFETY: filled by the call.
    Ok(Status::of(&unsafe { stat.assume_init() }))
}

/// The status of what a path names, relative to a folder's descriptor if there is one.
pub(crate) fn status_at(folder: Option<i32>, path: &[u8], follow: bool) -> io::Result<Status> {
    let path = c_path(path)?;
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: the path ends with NUL, the structure is ours.
    check(unsafe { libc::fstatat(folder.unwrap_or(libc::AT_FDCWD), path.as_ptr(), stat.as_mut_ptr(), flags) })?;
    // SAFETY: filled by the call.
    Ok(Status::of(&unsafe { stat.assume_init() }))
}

/// Whether the process may use a file so.
pub(crate) fn access(path: &[u8], mode: i32, follow: bool, effective: bool) -> io::Result<bool> {
    let path = c_path(path)?;
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW } | if effective { libc::AT_EACCESS } else { 0 };
    // SAFETY: the path ends with NUL.
    Ok(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, flags) } == 0)
}

/// An entry of a folder.
#[derive(Debug, Clone)]
pub(crate) struct FolderEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) inode: u64,
    /// Whether it is a folder, a file or a symbolic link, when the folder says so.
    pub(crate) kind: Option<EntryKind>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Folder,
    File,
    Link,
    Other,
}

/// The entries of a folder, in the order the system gives them.
pub(crate) fn list(path: &[u8]) -> io::Result<Vec<FolderEntry>> {
    use std::os::unix::fs::DirEntryExt;
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(std_path(path))? {
        let entry = entry?;
        let kind = entry.file_type().ok().map(|kind| {
            if kind.is_dir() {
                EntryKind::Folder
            } else if kind.is_file() {
                EntryKind::File
            } else if kind.is_symlink() {
                EntryKind::Link
            } else {
                EntryKind::Other
            }
        });
        entries.push(FolderEntry { name: entry.file_name().into_vec(), inode: entry.ino(), kind });
    }
    Ok(entries)
}

/// Makes a folder.
pub(crate) fn make_folder(path: &[u8], mode: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mkdir(path.as_ptr(), mode) }).map(drop)
}

/// Removes an empty folder.
pub(crate) fn remove_folder(path: &[u8]) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::rmdir(path.as_ptr()) }).map(drop)
}

/// Removes a name of a file.
pub(crate) fn unlink(path: &[u8]) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::unlink(path.as_ptr()) }).map(drop)
}

/// Gives a file another name, replacing what has it.
pub(crate) fn rename(from: &[u8], to: &[u8]) -> io::Result<()> {
    std::fs::rename(std_path(from), std_path(to))
}

/// Gives a file one more name.
pub(crate) fn link(from: &[u8], to: &[u8], follow: bool) -> io::Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    let flags = if follow { libc::AT_SYMLINK_FOLLOW } else { 0 };
    // SAFETY: both paths end with NUL.
    check(unsafe { libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) }).map(drop)
}

/// Makes a symbolic link.
pub(crate) fn symlink(target: &[u8], path: &[u8]) -> io::Result<()> {
    std::os::unix::fs::symlink(std_path(target), std_path(path))
}

/// Where a symbolic link points.
pub(crate) fn read_link(path: &[u8]) -> io::Result<Vec<u8>> {
    Ok(std::fs::read_link(std_path(path))?.into_os_string().into_vec())
}

/// Sets who may do what.
pub(crate) fn change_mode(path: &[u8], mode: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::chmod(path.as_ptr(), mode) }).map(drop)
}

/// Sets who may do what with an open file.
pub(crate) fn change_mode_of(fd: i32, mode: u32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::fchmod(fd, mode) }).map(drop)
}

/// Sets user and group.
pub(crate) fn change_owner(path: &[u8], user: u32, group: u32, follow: bool) -> io::Result<()> {
    let path = c_path(path)?;
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::fchownat(libc::AT_FDCWD, path.as_ptr(), user, group, flags) }).map(drop)
}

/// Sets the times of access and modification, in nanoseconds since 1970; `None` means the current time.
pub(crate) fn set_times(path: &[u8], times: Option<(i128, i128)>, follow: bool) -> io::Result<()> {
    let path = c_path(path)?;
    let spec = |time: i128| libc::timespec { tv_sec: time.div_euclid(1_000_000_000) as i64, tv_nsec: time.rem_euclid(1_000_000_000) as i64 };
    let pair = times.map(|(accessed, modified)| [spec(accessed), spec(modified)]);
    let pointer = pair.as_ref().map_or(std::ptr::null(), |pair| pair.as_ptr());
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: the path ends with NUL; the pointer is null or to two structures that outlive the call.
    check(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), pointer, flags) }).map(drop)
}

/// Changes the current folder.
pub(crate) fn change_folder(path: &[u8]) -> io::Result<()> {
    std::env::set_current_dir(std_path(path))
}

/// The current folder.
pub(crate) fn current_folder() -> io::Result<Vec<u8>> {
    Ok(std::env::current_dir()?.into_os_string().into_vec())
}

/// Columns and lines of a terminal.
pub(crate) fn terminal_size(fd: i32) -> io::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure is ours.
    check(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_col, size.ws_row))
}

/// What the system says of an error number.
pub(crate) fn error_text(number: i32) -> String {
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as long as we say; the XSI variant of the call always ends the text with NUL.
    unsafe { libc::strerror_r(number, buffer.as_mut_ptr().cast(), buffer.len()) };
    CStr::from_bytes_until_nul(&buffer).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Flags of [`open`] and the error number that goes with folders.
pub(crate) mod flags {
    pub(crate) const CREATE: i32 = libc::O_CREAT;
    pub(crate) const EXCLUSIVE: i32 = libc::O_EXCL;
    pub(crate) const TRUNCATE: i32 = libc::O_TRUNC;
    pub(crate) const APPEND: i32 = libc::O_APPEND;
    pub(crate) const WRITE_ONLY: i32 = libc::O_WRONLY;
    pub(crate) const READ_WRITE: i32 = libc::O_RDWR;
    pub(crate) const CLOSE_ON_EXEC: i32 = libc::O_CLOEXEC;
    pub(crate) const IS_A_DIRECTORY: i32 = libc::EISDIR;

    /// Those that scripts see, by name.
    pub(crate) const NAMED: &[(&str, i32)] = &[
        ("O_RDONLY", libc::O_RDONLY),
        ("O_WRONLY", libc::O_WRONLY),
        ("O_RDWR", libc::O_RDWR),
        ("O_NDELAY", libc::O_NDELAY),
        ("O_NONBLOCK", libc::O_NONBLOCK),
        ("O_APPEND", libc::O_APPEND),
        ("O_DSYNC", libc::O_DSYNC),
        ("O_RSYNC", libc::O_RSYNC),
        ("O_SYNC", libc::O_SYNC),
        ("O_NOCTTY", libc::O_NOCTTY),
        ("O_CREAT", libc::O_CREAT),
        ("O_EXCL", libc::O_EXCL),
        ("O_TRUNC", libc::O_TRUNC),
        ("O_CLOEXEC", libc::O_CLOEXEC),
        ("O_DIRECTORY", libc::O_DIRECTORY),
        ("O_NOFOLLOW", libc::O_NOFOLLOW),
        ("O_PATH", libc::O_PATH),
        ("O_TMPFILE", libc::O_TMPFILE),
        ("O_LARGEFILE", 0),
        ("O_ASYNC", libc::O_ASYNC),
        ("O_DIRECT", libc::O_DIRECT),
        ("O_NOATIME", libc::O_NOATIME),
        ("O_ACCMODE", libc::O_ACCMODE),
    ];
}

/// Makes a named pipe.
pub(crate) fn make_fifo(path: &[u8], mode: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mkfifo(path.as_ptr(), mode) }).map(drop)
}

/// Block size, fragment size, blocks, free ones, those free for users, the same for files, flags, longest name, number of the file system.
pub(crate) fn file_system(path: &[u8]) -> io::Result<[i64; 11]> {
    let path = c_path(path)?;
    let mut status = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with NUL, the structure is ours.
    check(unsafe { libc::statvfs(path.as_ptr(), status.as_mut_ptr()) })?;
    // SAFETY: filled by the call.
    let status = unsafe { status.assume_init() };
    Ok([
        status.f_bsize as i64,
        status.f_frsize as i64,
        status.f_blocks as i64,
        status.f_bfree as i64,
        status.f_bavail as i64,
        status.f_files as i64,
        status.f_ffree as i64,
        status.f_favail as i64,
        status.f_flag as i64,
        status.f_namemax as i64,
        status.f_fsid as i64,
    ])
}
