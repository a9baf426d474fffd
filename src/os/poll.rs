//! Waiting for descriptors so that another thread can end the wait: `poll` on them together with the waiting thread's own wake descriptor.
#![allow(unsafe_code, reason = "calls libc; arrays are passed with their own length, and descriptors that are ours are closed once")]

use std::io;
use std::time::Duration;

use smallvec::SmallVec;

/// A descriptor to wait for, with what it is waited for and what it is ready for. Laid out as the system's `pollfd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Polled {
    pub(crate) fd: i32,
    pub(crate) events: i16,
    pub(crate) ready: i16,
}

const _: () = assert!(size_of::<Polled>() == size_of::<libc::pollfd>());

/// There is something to read.
pub(crate) const READ: i16 = libc::POLLIN;
/// There is room to write.
pub(crate) const WRITE: i16 = libc::POLLOUT;
/// There is something urgent to read.
pub(crate) const URGENT: i16 = libc::POLLPRI;
/// An error is pending.
pub(crate) const ERROR: i16 = libc::POLLERR;
/// The other side has hung up.
pub(crate) const HANG_UP: i16 = libc::POLLHUP;
/// The descriptor is none.
pub(crate) const INVALID: i16 = libc::POLLNVAL;

/// The events that scripts see, by name.
pub(crate) const NAMED: &[(&str, i16)] = &[
    ("POLLIN", libc::POLLIN),
    ("POLLPRI", libc::POLLPRI),
    ("POLLOUT", libc::POLLOUT),
    ("POLLERR", libc::POLLERR),
    ("POLLHUP", libc::POLLHUP),
    ("POLLNVAL", libc::POLLNVAL),
    ("POLLRDNORM", libc::POLLRDNORM),
    ("POLLRDBAND", libc::POLLRDBAND),
    ("POLLWRNORM", libc::POLLWRNORM),
    ("POLLWRBAND", libc::POLLWRBAND),
    ("POLLMSG", 0x400),
    ("POLLRDHUP", libc::POLLRDHUP),
];

impl Polled {
    pub(crate) fn new(fd: i32, events: i16) -> Self {
        Self { fd, events, ready: 0 }
    }
}

/// What ends a thread's `poll` from another thread.
#[derive(Debug)]
pub(crate) struct Wake(i32);

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: touches no memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(fd)) }
    }

    /// Ends the `poll` that is under way, or else the next one.
    pub(crate) fn wake(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes of ours.
        unsafe { libc::write(self.0, (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Forgets wakes that came.
    pub(crate) fn reset(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes of ours.
        unsafe { libc::read(self.0, (&raw mut count).cast(), size_of::<u64>()) };
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours alone.
        unsafe { libc::close(self.0) };
    }
}

/// Waits until a descriptor is ready, `wake` is woken or the time is over; how many of `polled` are ready. `None`: for ever.
pub(crate) fn poll(polled: &mut [Polled], wake: Option<&Wake>, timeout: Option<Duration>) -> io::Result<usize> {
    let mut all: SmallVec<[libc::pollfd; 8]> =
        polled.iter().map(|polled| libc::pollfd { fd: polled.fd, events: polled.events, revents: 0 }).collect();
    if let Some(wake) = wake {
        all.push(libc::pollfd { fd: wake.0, events: libc::POLLIN, revents: 0 });
    }
    let time = timeout
        .map(|timeout| libc::timespec { tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(timeout.subsec_nanos()) });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array is as long as we say, and the time outlives the call.
    if unsafe { libc::ppoll(all.as_mut_ptr(), all.len() as libc::nfds_t, time, std::ptr::null()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut n_ready = 0;
    for (polled, answer) in polled.iter_mut().zip(&all) {
        polled.ready = answer.revents;
        n_ready += usize::from(answer.revents != 0);
    }
    Ok(n_ready)
}

/// Whether the descriptor is ready for one of `events` now, or in error.
pub(crate) fn is_ready(fd: i32, events: i16) -> bool {
    let mut polled = [Polled::new(fd, events)];
    poll(&mut polled, None, Some(Duration::ZERO)).is_ok_and(|n_ready| n_ready > 0)
}

/// An epoll instance's calls.
pub(crate) mod epoll {
    use std::io;

    /// The events and flags that scripts see, by name.
    pub(crate) const NAMED: &[(&str, i64)] = &[
        ("EPOLLIN", libc::EPOLLIN as i64),
        ("EPOLLOUT", libc::EPOLLOUT as i64),
        ("EPOLLPRI", libc::EPOLLPRI as i64),
        ("EPOLLERR", libc::EPOLLERR as i64),
        ("EPOLLHUP", libc::EPOLLHUP as i64),
        ("EPOLLRDHUP", libc::EPOLLRDHUP as i64),
        ("EPOLLET", 1 << 31),
        ("EPOLLONESHOT", libc::EPOLLONESHOT as i64),
        ("EPOLLEXCLUSIVE", libc::EPOLLEXCLUSIVE as i64),
        ("EPOLLRDNORM", libc::EPOLLRDNORM as i64),
        ("EPOLLRDBAND", libc::EPOLLRDBAND as i64),
        ("EPOLLWRNORM", libc::EPOLLWRNORM as i64),
        ("EPOLLWRBAND", libc::EPOLLWRBAND as i64),
        ("EPOLLMSG", libc::EPOLLMSG as i64),
        ("EPOLL_CLOEXEC", libc::EPOLL_CLOEXEC as i64),
    ];

    /// What [`change`] does.
    #[derive(Debug, Clone, Copy)]
    pub(crate) enum Change {
        Add,
        Modify,
        Remove,
    }

    /// A new instance.
    pub(crate) fn create() -> io::Result<i32> {
        // SAFETY: touches no memory of ours.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
    }

    /// Adds a descriptor, changes what it is waited for, or removes it.
    pub(crate) fn change(epoll: i32, change: Change, fd: i32, events: u32) -> io::Result<()> {
        let operation = match change {
            Change::Add => libc::EPOLL_CTL_ADD,
            Change::Modify => libc::EPOLL_CTL_MOD,
            Change::Remove => libc::EPOLL_CTL_DEL,
        };
        let mut event = libc::epoll_event { events, u64: u64::from(fd as u32) };
        // SAFETY: the structure is ours.
        if unsafe { libc::epoll_ctl(epoll, operation, fd, &raw mut event) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The descriptors that are ready now, with what for: at most `max`. Does not wait.
    pub(crate) fn ready(epoll: i32, max: usize) -> io::Result<Vec<(i32, u32)>> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; max.clamp(1, 65_536)];
        // SAFETY: the array is as long as we say.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, 0) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        events.truncate(count as usize);
        Ok(events.iter().map(|event| (event.u64 as u32 as i32, event.events)).collect())
    }
}

/// A descriptor that becomes readable when the process ends (`pidfd`).
pub(crate) fn process_descriptor(process: i32) -> io::Result<i32> {
    // SAFETY: touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd as i32) }
}
