//! Clocks and the calendar of the local time zone.
#![allow(unsafe_code, reason = "calls libc; every structure is passed by a reference that outlives the call")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

/// Which clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Since 1970, as the system believes.
    Real,
    /// Since some moment, never backwards.
    Monotonic,
    /// What the process has used of the CPU.
    Process,
    /// What the thread has used of the CPU.
    Thread,
}

impl Clock {
    fn id(self) -> libc::clockid_t {
        match self {
            Self::Real => libc::CLOCK_REALTIME,
            Self::Monotonic => libc::CLOCK_MONOTONIC,
            Self::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
            Self::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
        }
    }

    /// Nanoseconds.
    pub(crate) fn now(self) -> i64 {
        gettime(self.id()).unwrap_or(0)
    }

    /// The resolution in nanoseconds.
    pub(crate) fn resolution(self) -> i64 {
        getres(self.id()).unwrap_or(1)
    }
}

/// `clock_gettime` of any clock, in nanoseconds.
pub(crate) fn gettime(id: i32) -> io::Result<i64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours.
    match unsafe { libc::clock_gettime(id, &raw mut time) } {
        0 => Ok(time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets a clock of the system, in nanoseconds.
pub(crate) fn settime(id: i32, nanoseconds: i64) -> io::Result<()> {
    let time = libc::timespec { tv_sec: nanoseconds.div_euclid(1_000_000_000), tv_nsec: nanoseconds.rem_euclid(1_000_000_000) };
    // SAFETY: the structure is ours.
    if unsafe { libc::clock_settime(id, &raw const time) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The clock that counts a thread's own time.
pub(crate) fn of_thread(thread: u64) -> io::Result<i32> {
    let mut id = 0;
    // SAFETY: the number is ours; scripts pass the identity of a running thread.
    match unsafe { libc::pthread_getcpuclockid(thread as libc::pthread_t, &raw mut id) } {
        0 => Ok(id),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// How fine a clock of the system is, in nanoseconds.
pub(crate) fn getres(id: i32) -> io::Result<i64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours.
    match unsafe { libc::clock_getres(id, &raw mut time) } {
        0 => Ok(time.tv_sec * 1_000_000_000 + time.tv_nsec),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A moment, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BrokenTime {
    /// The full year.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i32,
    /// 1 to 31.
    pub(crate) day: i32,
    /// 0 to 23.
    pub(crate) hour: i32,
    /// 0 to 59.
    pub(crate) minute: i32,
    /// 0 to 61.
    pub(crate) second: i32,
    /// 0 is Monday.
    pub(crate) weekday: i32,
    /// 1 to 366.
    pub(crate) yearday: i32,
    /// Whether it is summer time; negative when unknown.
    pub(crate) dst: i32,
    /// The zone's abbreviation.
    pub(crate) zone: String,
    /// Seconds east of UTC.
    pub(crate) offset: i64,
}

fn from_c(time: &libc::tm) -> BrokenTime {
    let zone = if time.tm_zone.is_null() {
        String::new()
    } else {
        // SAFETY: libc's zone names are NUL-terminated and live as long as the zone is set.
        unsafe { CStr::from_ptr(time.tm_zone) }.to_string_lossy().into_owned()
    };
    BrokenTime {
        year: i64::from(time.tm_year) + 1900,
        month: time.tm_mon + 1,
        day: time.tm_mday,
        hour: time.tm_hour,
        minute: time.tm_min,
        second: time.tm_sec,
        weekday: (time.tm_wday + 6) % 7,
        yearday: time.tm_yday + 1,
        dst: time.tm_isdst,
        zone,
        offset: time.tm_gmtoff,
    }
}

fn to_c(time: &BrokenTime) -> Option<libc::tm> {
    // SAFETY: all zeros is a valid `tm`.
    let mut out: libc::tm = unsafe { MaybeUninit::zeroed().assume_init() };
    out.tm_year = i32::try_from(time.year - 1900).ok()?;
    out.tm_mon = time.month - 1;
    out.tm_mday = time.day;
    out.tm_hour = time.hour;
    out.tm_min = time.minute;
    out.tm_sec = time.second;
    out.tm_wday = (time.weekday + 1) % 7;
    out.tm_yday = time.yearday - 1;
    out.tm_isdst = time.dst;
    out.tm_gmtoff = time.offset;
    Some(out)
}

/// Seconds since 1970 in the local zone.
pub(crate) fn local(seconds: i64) -> io::Result<BrokenTime> {
    let mut out = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both structures are ours.
    if unsafe { libc::localtime_r(&raw const seconds, out.as_mut_ptr()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    Ok(from_c(&unsafe { out.assume_init() }))
}

/// Seconds since 1970 in UTC.
pub(crate) fn utc(seconds: i64) -> io::Result<BrokenTime> {
    let mut out = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both structures are ours.
    if unsafe { libc::gmtime_r(&raw const seconds, out.as_mut_ptr()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    let mut time = from_c(&unsafe { out.assume_init() });
    time.zone = "GMT".to_owned();
    Ok(time)
}

/// The seconds since 1970 of a local time; `None` when there is none.
pub(crate) fn make(time: &BrokenTime) -> Option<i64> {
    let mut time = to_c(time)?;
    // The call says what went wrong only by this field, which a valid result sets.
    time.tm_wday = -1;
    // SAFETY: the structure is ours.
    let seconds = unsafe { libc::mktime(&raw mut time) };
    (seconds != -1 || time.tm_wday != -1).then_some(seconds)
}

/// A time as text by a `strftime` format.
pub(crate) fn format(format: &[u8], time: &BrokenTime) -> Vec<u8> {
    let Some(mut time_c) = to_c(time) else { return Vec::new() };
    let zone = CString::new(time.zone.as_str()).unwrap_or_default();
    time_c.tm_zone = zone.as_ptr();
    let mut out = Vec::new();
    // A marker at the end tells an empty result from a buffer that is too small.
    let mut marked = format.to_vec();
    marked.push(b'.');
    let Ok(marked) = CString::new(marked) else { return Vec::new() };
    let mut size = 256 + format.len() * 4;
    loop {
        let mut buffer = vec![0_u8; size];
        // SAFETY: the buffer is as long as we say, the format ends with NUL, and the zone outlives the call.
        let length = unsafe { libc::strftime(buffer.as_mut_ptr().cast(), size, marked.as_ptr(), &raw const time_c) };
        if length > 0 || size > 1 << 20 {
            out.extend_from_slice(&buffer[..length.saturating_sub(1)]);
            return out;
        }
        size *= 4;
    }
}

/// Reads the zone again from the environment.
pub(crate) fn reset_zone() {
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: takes nothing and keeps nothing of ours.
    unsafe { tzset() }
}
