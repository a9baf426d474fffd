//! Sockets: the system's calls, none of which waits (or is called so that it does not), addresses and the look-up of names.
#![allow(unsafe_code, reason = "calls libc; addresses, buffers and control messages are passed with their own length")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{MaybeUninit, zeroed};

fn check(result: libc::c_int) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Where a socket is, or what it is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    V4 {
        ip: [u8; 4],
        port: u16,
    },
    V6 {
        ip: [u8; 16],
        port: u16,
        flow: u32,
        scope: u32,
    },
    /// A path, or a name that starts with NUL; empty for a socket without one.
    Unix(Vec<u8>),
    /// Of a family that is not known here: the family and the bytes after it.
    Other(i32, Vec<u8>),
}

/// A path for a Unix socket may not be longer.
pub(crate) const UNIX_PATH: usize = 108;

const STORAGE: usize = size_of::<libc::sockaddr_storage>();
/// Where a Unix address's path starts.
const PATH_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// An address as the system wants it.
struct RawAddress {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl RawAddress {
    fn empty() -> Self {
        // SAFETY: all zeros is a valid address structure.
        Self { storage: unsafe { zeroed() }, length: STORAGE as libc::socklen_t }
    }

    /// Puts `value`, one of the address structures, at the start.
    fn of<T: Copy>(value: T) -> Self {
        let mut raw = Self::empty();
        raw.length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the storage is large enough for each address structure, and aligned for it.
        unsafe { (&raw mut raw.storage).cast::<T>().write(value) };
        raw
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    fn bytes(&self) -> &[u8] {
        let length = (self.length as usize).min(STORAGE);
        // SAFETY: the storage is initialised throughout.
        unsafe { std::slice::from_raw_parts((&raw const self.storage).cast::<u8>(), length) }
    }

    fn address(&self) -> Option<Address> {
        if (self.length as usize) < size_of::<libc::sa_family_t>() {
            return None;
        }
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says which structure it is.
                let raw = unsafe { *(&raw const self.storage).cast::<libc::sockaddr_in>() };
                Some(Address::V4 { ip: raw.sin_addr.s_addr.to_ne_bytes(), port: u16::from_be(raw.sin_port) })
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let raw = unsafe { *(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                let (port, flow) = (u16::from_be(raw.sin6_port), u32::from_be(raw.sin6_flowinfo));
                Some(Address::V6 { ip: raw.sin6_addr.s6_addr, port, flow, scope: raw.sin6_scope_id })
            }
            libc::AF_UNIX => {
                let mut path = self.bytes().get(PATH_OFFSET..).unwrap_or_default().to_vec();
                if path.first().is_some_and(|&first| first != 0) {
                    path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(path.len()));
                }
                Some(Address::Unix(path))
            }
            family => Some(Address::Other(family, self.bytes().get(size_of::<libc::sa_family_t>()..).unwrap_or_default().to_vec())),
        }
    }
}

impl Address {
    fn raw(&self) -> io::Result<RawAddress> {
        Ok(match self {
            Self::V4 { ip, port } => {
                // SAFETY: all zeros is a valid address structure.
                let mut raw: libc::sockaddr_in = unsafe { zeroed() };
                raw.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.sin_port = port.to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(*ip);
                RawAddress::of(raw)
            }
            Self::V6 { ip, port, flow, scope } => {
                // SAFETY: as above.
                let mut raw: libc::sockaddr_in6 = unsafe { zeroed() };
                raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.sin6_port = port.to_be();
                raw.sin6_flowinfo = flow.to_be();
                raw.sin6_addr.s6_addr = *ip;
                raw.sin6_scope_id = *scope;
                RawAddress::of(raw)
            }
            Self::Unix(path) => {
                // SAFETY: as above.
                let mut raw: libc::sockaddr_un = unsafe { zeroed() };
                raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
                let is_abstract = path.first() == Some(&0);
                if path.len() > if is_abstract { UNIX_PATH } else { UNIX_PATH - 1 } {
                    return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
                }
                for (to, from) in raw.sun_path.iter_mut().zip(path) {
                    *to = *from as libc::c_char;
                }
                let mut made = RawAddress::of(raw);
                made.length = (PATH_OFFSET + path.len() + usize::from(!is_abstract && !path.is_empty())) as libc::socklen_t;
                made
            }
            Self::Other(..) => return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        })
    }

    /// The address's family.
    pub(crate) fn family(&self) -> i32 {
        match self {
            Self::V4 { .. } => libc::AF_INET,
            Self::V6 { .. } => libc::AF_INET6,
            Self::Unix(_) => libc::AF_UNIX,
            Self::Other(family, _) => *family,
        }
    }
}

/// Families and kinds by which code here decides.
pub(crate) const INET: i32 = libc::AF_INET;
pub(crate) const INET6: i32 = libc::AF_INET6;
pub(crate) const UNIX: i32 = libc::AF_UNIX;
pub(crate) const ANY_FAMILY: i32 = libc::AF_UNSPEC;
pub(crate) const STREAM: i32 = libc::SOCK_STREAM;
pub(crate) const DATAGRAM: i32 = libc::SOCK_DGRAM;
/// Bits of a kind that are flags.
pub(crate) const KIND_FLAGS: i32 = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
/// The bit of a kind that says it does not block.
pub(crate) const NON_BLOCKING: i32 = libc::SOCK_NONBLOCK;
/// What `connect` says when it goes on.
pub(crate) const IN_PROGRESS: i32 = libc::EINPROGRESS;
/// What `connect` says of a connection that is made already.
pub(crate) const IS_CONNECTED: i32 = libc::EISCONN;
/// The flag with which messages are received, so that descriptors in them are not inherited.
pub(crate) const CLOSE_ON_EXEC_FLAG: i32 = libc::MSG_CMSG_CLOEXEC;

/// A new socket, which child processes do not inherit.
pub(crate) fn create(family: i32, kind: i32, protocol: i32) -> io::Result<i32> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// Two sockets that are connected to each other.
pub(crate) fn pair(family: i32, kind: i32, protocol: i32) -> io::Result<(i32, i32)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two.
    check(unsafe { libc::socketpair(family, kind | libc::SOCK_CLOEXEC, protocol, ends.as_mut_ptr()) })?;
    Ok((ends[0], ends[1]))
}

/// Gives the socket an address.
pub(crate) fn bind(fd: i32, address: &Address) -> io::Result<()> {
    let raw = address.raw()?;
    // SAFETY: the address is as long as it says.
    check(unsafe { libc::bind(fd, raw.pointer(), raw.length) }).map(drop)
}

/// Starts connecting. With `is_blocking` the descriptor is one that blocks, which it does not while this call lasts.
pub(crate) fn connect(fd: i32, address: &Address, is_blocking: bool) -> io::Result<()> {
    let raw = address.raw()?;
    // SAFETY: the address is as long as it says.
    without_blocking(fd, is_blocking, || check(unsafe { libc::connect(fd, raw.pointer(), raw.length) })).map(drop)
}

fn without_blocking<T>(fd: i32, is_blocking: bool, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if is_blocking {
        super::file::set_blocking(fd, false)?;
    }
    let result = call();
    if is_blocking {
        super::file::set_blocking(fd, true)?;
    }
    result
}

/// Lets others connect; so many may wait to be accepted.
pub(crate) fn listen(fd: i32, backlog: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::listen(fd, backlog) }).map(drop)
}

/// Takes a connection that waits, if one does: its descriptor and who connected. `is_blocking` as for [`connect`].
pub(crate) fn accept(fd: i32, is_blocking: bool) -> io::Result<(i32, Option<Address>)> {
    let mut raw = RawAddress::empty();
    let accepted = without_blocking(fd, is_blocking, || {
        let storage = (&raw mut raw.storage).cast();
        // SAFETY: the structure is as long as we say.
        check(unsafe { libc::accept4(fd, storage, &raw mut raw.length, libc::SOCK_CLOEXEC) })
    })?;
    Ok((accepted, raw.address()))
}

/// The socket's own address.
pub(crate) fn name(fd: i32) -> io::Result<Option<Address>> {
    let mut raw = RawAddress::empty();
    // SAFETY: the structure is as long as we say.
    check(unsafe { libc::getsockname(fd, (&raw mut raw.storage).cast(), &raw mut raw.length) })?;
    Ok(raw.address())
}

/// The address of the other side.
pub(crate) fn peer(fd: i32) -> io::Result<Option<Address>> {
    let mut raw = RawAddress::empty();
    // SAFETY: the structure is as long as we say.
    check(unsafe { libc::getpeername(fd, (&raw mut raw.storage).cast(), &raw mut raw.length) })?;
    Ok(raw.address())
}

/// Ends one direction of a connection, or both.
pub(crate) fn shutdown(fd: i32, how: i32) -> io::Result<()> {
    // SAFETY: touches no memory of ours.
    check(unsafe { libc::shutdown(fd, how) }).map(drop)
}

/// An option that is a number.
pub(crate) fn option(fd: i32, level: i32, option: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the number is as long as we say.
    check(unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}

/// An option's bytes, at most `size`.
pub(crate) fn option_bytes(fd: i32, level: i32, option: i32, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut length = size as libc::socklen_t;
    // SAFETY: the buffer is as long as we say.
    check(unsafe { libc::getsockopt(fd, level, option, bytes.as_mut_ptr().cast(), &raw mut length) })?;
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// Sets an option.
pub(crate) fn set_option(fd: i32, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the value is as long as we say.
    check(unsafe { libc::setsockopt(fd, level, option, value.as_ptr().cast(), value.len() as libc::socklen_t) }).map(drop)
}

/// Sets an option to no value, of this length.
pub(crate) fn set_option_null(fd: i32, level: i32, option: i32, length: u32) -> io::Result<()> {
    // SAFETY: the system is told that there is no value.
    check(unsafe { libc::setsockopt(fd, level, option, std::ptr::null(), length) }).map(drop)
}

/// The error that a connection attempt ended with; zero for none.
pub(crate) fn pending_error(fd: i32) -> io::Result<i32> {
    option(fd, libc::SOL_SOCKET, libc::SO_ERROR)
}

/// The socket's kind and protocol.
pub(crate) fn kind_and_protocol(fd: i32) -> io::Result<(i32, i32)> {
    Ok((option(fd, libc::SOL_SOCKET, libc::SO_TYPE)?, option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL).unwrap_or(0)))
}

/// Receives at most `size` bytes that are there.
pub(crate) fn receive(fd: i32, size: usize, flags: i32) -> io::Result<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::with_capacity(size);
    // SAFETY: the buffer has room for so many.
    let count = check_size(unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), size, flags | libc::MSG_DONTWAIT) })?;
    // SAFETY: the system wrote so many; with MSG_TRUNC it may say more than that.
    unsafe { bytes.set_len(count.min(size)) };
    Ok(bytes)
}

/// As `receive`, with the sender's address.
pub(crate) fn receive_from(fd: i32, size: usize, flags: i32) -> io::Result<(Vec<u8>, Option<Address>)> {
    let mut bytes: Vec<u8> = Vec::with_capacity(size);
    let mut raw = RawAddress::empty();
    let buffer = bytes.as_mut_ptr().cast();
    // SAFETY: buffer and structure are as long as we say.
    let received = unsafe { libc::recvfrom(fd, buffer, size, flags | libc::MSG_DONTWAIT, (&raw mut raw.storage).cast(), &raw mut raw.length) };
    let count = check_size(received)?;
    // SAFETY: as in `receive`.
    unsafe { bytes.set_len(count.min(size)) };
    Ok((bytes, if raw.length == 0 { None } else { raw.address() }))
}

/// Sends what there is room for; a connection that is gone is an error, no signal.
pub(crate) fn send(fd: i32, bytes: &[u8], flags: i32) -> io::Result<usize> {
    // SAFETY: the bytes are as long as we say.
    check_size(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) })
}

/// Sends to an address.
pub(crate) fn send_to(fd: i32, bytes: &[u8], flags: i32, address: &Address) -> io::Result<usize> {
    let raw = address.raw()?;
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: bytes and address are as long as we say.
    check_size(unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, raw.pointer(), raw.length) })
}

/// A control message: level, type, data.
pub(crate) type Control = (i32, i32, Vec<u8>);

/// The length of a control message's header and data, padded or not.
pub(crate) fn control_length(length: u32, padded: bool) -> usize {
    // SAFETY: these compute.
    unsafe { if padded { libc::CMSG_SPACE(length) as usize } else { libc::CMSG_LEN(length) as usize } }
}

/// What [`receive_message`] gives.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) control: Vec<Control>,
    pub(crate) flags: i32,
    pub(crate) address: Option<Address>,
}

/// Receives bytes and control messages.
pub(crate) fn receive_message(fd: i32, size: usize, control_size: usize, flags: i32) -> io::Result<Message> {
    let mut bytes: Vec<u8> = vec![0; size];
    // Words, so that headers are aligned.
    let mut control_bytes = vec![0_u64; control_size.div_ceil(8)];
    let mut raw = RawAddress::empty();
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: size };
    // SAFETY: all zeros is a valid header.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = (&raw mut raw.storage).cast();
    header.msg_namelen = raw.length;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control_bytes.as_mut_ptr().cast();
    header.msg_controllen = control_size;
    // SAFETY: everything the header points to is as long as it says.
    let count = check_size(unsafe { libc::recvmsg(fd, &raw mut header, flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) })?;
    bytes.truncate(count);
    let mut control = Vec::new();
    // SAFETY: the system filled the header; each message lies inside the control bytes, whose end the macros respect.
    unsafe {
        let start = control_bytes.as_ptr().cast::<u8>();
        let mut next = libc::CMSG_FIRSTHDR(&raw const header);
        while !next.is_null() {
            let data = libc::CMSG_DATA(next);
            let left = header.msg_controllen.saturating_sub(data.offset_from(start).max(0) as usize);
            let length = (*next).cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize).min(left);
            control.push(((*next).cmsg_level, (*next).cmsg_type, std::slice::from_raw_parts(data, length).to_vec()));
            next = libc::CMSG_NXTHDR(&raw const header, next);
        }
    }
    raw.length = header.msg_namelen;
    Ok(Message { bytes, control, flags: header.msg_flags, address: if raw.length == 0 { None } else { raw.address() } })
}

/// Sends bytes and control messages, to an address if there is one.
pub(crate) fn send_message(fd: i32, bytes: &[u8], control: &[Control], flags: i32, address: Option<&Address>) -> io::Result<usize> {
    let raw = address.map(Address::raw).transpose()?;
    let size: usize = control.iter().map(|(_, _, data)| control_length(data.len() as u32, true)).sum();
    let mut control_bytes = vec![0_u64; size.div_ceil(8)];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all zeros is a valid header.
    let mut header: libc::msghdr = unsafe { zeroed() };
    if let Some(raw) = &raw {
        header.msg_name = raw.pointer().cast_mut().cast();
        header.msg_namelen = raw.length;
    }
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if size > 0 {
        header.msg_control = control_bytes.as_mut_ptr().cast();
        header.msg_controllen = size;
        // SAFETY: the buffer has room for all messages with their padding, and the macros stay inside it.
        unsafe {
            let mut next = libc::CMSG_FIRSTHDR(&raw const header);
            for (level, kind, data) in control {
                if next.is_null() {
                    break;
                }
                (*next).cmsg_level = *level;
                (*next).cmsg_type = *kind;
                (*next).cmsg_len = control_length(data.len() as u32, false);
                std::ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(next), data.len());
                next = libc::CMSG_NXTHDR(&raw const header, next);
            }
        }
    }
    // SAFETY: everything the header points to is as long as it says, and only read.
    check_size(unsafe { libc::sendmsg(fd, &raw const header, flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) })
}

/// Why a name was not found: the look-up's own number, and its words.
#[derive(Debug, Clone)]
pub(crate) struct LookupError {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl LookupError {
    fn of(code: i32) -> Self {
        // SAFETY: gives a text that lives for ever.
        let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
        Self { code, text: text.to_string_lossy().into_owned() }
    }

    /// Whether the name is only no number.
    pub(crate) fn is_not_a_number(&self) -> bool {
        self.code == libc::EAI_NONAME
    }
}

/// A way to reach a host.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) family: i32,
    pub(crate) kind: i32,
    pub(crate) protocol: i32,
    pub(crate) canonical_name: String,
    pub(crate) address: Option<Address>,
}

/// What is looked up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) host: Option<Vec<u8>>,
    pub(crate) service: Option<Vec<u8>>,
    pub(crate) family: i32,
    pub(crate) kind: i32,
    pub(crate) protocol: i32,
    pub(crate) flags: i32,
}

/// The flag that allows no names, so that the look-up asks nobody and does not wait.
pub(crate) const NUMERIC_HOST: i32 = libc::AI_NUMERICHOST;
pub(crate) const NUMERIC_SERVICE: i32 = libc::AI_NUMERICSERV;
pub(crate) const WITH_CANONICAL_NAME: i32 = libc::AI_CANONNAME;
/// For [`name_of`]: an address without a name is an error; the service is one of datagrams.
pub(crate) const NAME_REQUIRED: i32 = libc::NI_NAMEREQD;
pub(crate) const DATAGRAM_SERVICE: i32 = libc::NI_DGRAM;
/// For [`name_of`]: the address as a number, which needs no look-up.
pub(crate) const NUMERIC_HOST_NAME: i32 = libc::NI_NUMERICHOST;

/// The error of a family that the system does not know.
pub(crate) fn unknown_family() -> io::Error {
    io::Error::from_raw_os_error(libc::EAFNOSUPPORT)
}

/// Looks a host and a service up. May wait for the network unless [`NUMERIC_HOST`] is set.
pub(crate) fn look_up(query: &Query) -> Result<Vec<Found>, LookupError> {
    let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(CString::new).transpose().map_err(|_| LookupError::of(libc::EAI_NONAME));
    let (host, service) = (text(&query.host)?, text(&query.service)?);
    let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: all zeros is a valid structure.
    let mut hints: libc::addrinfo = unsafe { zeroed() };
    hints.ai_family = query.family;
    hints.ai_socktype = query.kind;
    hints.ai_protocol = query.protocol;
    hints.ai_flags = query.flags;
    let mut list: *mut libc::addrinfo = std::ptr::null_mut();
    // SAFETY: the texts end with NUL, the structures are ours.
    let code = unsafe { libc::getaddrinfo(pointer(&host), pointer(&service), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(LookupError::of(code));
    }
    let mut found = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: a node of the list that the system made, with the address and the name it points to.
        unsafe {
            let node = &*next;
            let mut raw = RawAddress::empty();
            raw.length = node.ai_addrlen.min(STORAGE as libc::socklen_t);
            std::ptr::copy_nonoverlapping(node.ai_addr.cast::<u8>(), (&raw mut raw.storage).cast::<u8>(), raw.length as usize);
            let name = if node.ai_canonname.is_null() { String::new() } else { CStr::from_ptr(node.ai_canonname).to_string_lossy().into_owned() };
            found.push(Found {
                family: node.ai_family,
                kind: node.ai_socktype,
                protocol: node.ai_protocol,
                canonical_name: name,
                address: raw.address(),
            });
            next = node.ai_next;
        }
    }
    // SAFETY: made by the call above, and freed once.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}

/// Host and service of an address, by `flags` (`NI_…`). May wait for the network.
pub(crate) fn name_of(address: &Address, flags: i32) -> Result<(String, String), LookupError> {
    let raw = address.raw().map_err(|_| LookupError::of(libc::EAI_FAMILY))?;
    let (mut host, mut service) = ([0_u8; 1025], [0_u8; 32]);
    // SAFETY: address and buffers are as long as we say.
    let code = unsafe {
        libc::getnameinfo(
            raw.pointer(),
            raw.length,
            host.as_mut_ptr().cast(),
            host.len() as libc::socklen_t,
            service.as_mut_ptr().cast(),
            service.len() as libc::socklen_t,
            flags,
        )
    };
    if code != 0 {
        return Err(LookupError::of(code));
    }
    let text = |bytes: &[u8]| CStr::from_bytes_until_nul(bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((text(&host), text(&service)))
}

/// The system's own name.
pub(crate) fn host_name() -> io::Result<String> {
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as long as we say.
    check(unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len()) })?;
    Ok(CStr::from_bytes_until_nul(&buffer).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default())
}

/// Numbers and names of the network interfaces.
pub(crate) fn interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: gives null or a list that ends with an entry of zeros.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: inside the list, whose names end with NUL; freed once.
    unsafe {
        while (*next).if_index != 0 {
            found.push(((*next).if_index, CStr::from_ptr((*next).if_name).to_string_lossy().into_owned()));
            next = next.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(found)
}

/// The number of an interface.
pub(crate) fn interface_number(name: &[u8]) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: the name ends with NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        number => Ok(number),
    }
}

/// The name of an interface.
pub(crate) fn interface_name(number: u32) -> io::Result<String> {
    let mut buffer = MaybeUninit::<[u8; libc::IF_NAMESIZE]>::zeroed();
    // SAFETY: the buffer has the size the call asks for.
    if unsafe { libc::if_indextoname(number, buffer.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros at first, then filled.
    let bytes = unsafe { buffer.assume_init() };
    Ok(CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default())
}

macro_rules! names {
    ($($name:ident)*) => {
        &[$((stringify!($name), libc::$name as i64)),*]
    };
}

/// Numbers that scripts see, by name.
pub(crate) const NAMED: &[(&str, i64)] = names! {
    AF_UNSPEC AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_VSOCK AF_ALG AF_CAN AF_BLUETOOTH
    SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET SOCK_CLOEXEC SOCK_NONBLOCK
    SOL_SOCKET SO_DEBUG SO_ACCEPTCONN SO_REUSEADDR SO_KEEPALIVE SO_DONTROUTE SO_BROADCAST SO_LINGER SO_OOBINLINE SO_REUSEPORT SO_SNDBUF SO_RCVBUF
    SO_SNDLOWAT SO_RCVLOWAT SO_SNDTIMEO SO_RCVTIMEO SO_ERROR SO_TYPE SO_PASSCRED SO_PEERCRED SO_PASSSEC SO_PEERSEC SO_BINDTODEVICE SO_PRIORITY
    SO_MARK SO_DOMAIN SO_PROTOCOL SO_INCOMING_CPU SO_BUSY_POLL
    SOMAXCONN SCM_RIGHTS SCM_CREDENTIALS
    MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_DONTWAIT MSG_EOR MSG_TRUNC MSG_CTRUNC MSG_WAITALL MSG_NOSIGNAL MSG_ERRQUEUE MSG_CMSG_CLOEXEC MSG_CONFIRM
    MSG_MORE MSG_FASTOPEN
    SHUT_RD SHUT_WR SHUT_RDWR
    IPPROTO_IP IPPROTO_ICMP IPPROTO_IGMP IPPROTO_TCP IPPROTO_UDP IPPROTO_IPV6 IPPROTO_RAW IPPROTO_ICMPV6 IPPROTO_SCTP IPPROTO_UDPLITE IPPROTO_NONE
    IPPROTO_MPTCP IPPROTO_AH IPPROTO_ESP IPPROTO_GRE IPPROTO_IPIP IPPROTO_PIM IPPROTO_EGP IPPROTO_PUP IPPROTO_IDP IPPROTO_TP IPPROTO_ROUTING
    IPPROTO_FRAGMENT IPPROTO_RSVP IPPROTO_HOPOPTS IPPROTO_DSTOPTS
    IP_OPTIONS IP_HDRINCL IP_TOS IP_TTL IP_RECVOPTS IP_RETOPTS IP_MULTICAST_IF IP_MULTICAST_TTL IP_MULTICAST_LOOP IP_ADD_MEMBERSHIP
    IP_DROP_MEMBERSHIP IP_TRANSPARENT IP_PKTINFO IP_RECVTOS IP_BIND_ADDRESS_NO_PORT IP_ADD_SOURCE_MEMBERSHIP IP_DROP_SOURCE_MEMBERSHIP IP_BLOCK_SOURCE IP_UNBLOCK_SOURCE
    IPV6_MULTICAST_HOPS IPV6_MULTICAST_IF IPV6_MULTICAST_LOOP IPV6_UNICAST_HOPS IPV6_V6ONLY IPV6_CHECKSUM
    IPV6_DONTFRAG IPV6_HOPLIMIT IPV6_HOPOPTS IPV6_NEXTHOP IPV6_PKTINFO IPV6_RECVHOPLIMIT IPV6_RECVHOPOPTS IPV6_RECVPKTINFO IPV6_RECVRTHDR
    IPV6_RECVTCLASS IPV6_RTHDR IPV6_RTHDRDSTOPTS IPV6_TCLASS IPV6_RECVDSTOPTS IPV6_RECVPATHMTU IPV6_PATHMTU IPV6_DSTOPTS
    TCP_NODELAY TCP_MAXSEG TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_SYNCNT TCP_LINGER2 TCP_DEFER_ACCEPT TCP_WINDOW_CLAMP TCP_INFO
    TCP_QUICKACK TCP_FASTOPEN TCP_CONGESTION TCP_USER_TIMEOUT TCP_MD5SIG TCP_NOTSENT_LOWAT TCP_ULP
    AI_PASSIVE AI_CANONNAME AI_NUMERICHOST AI_NUMERICSERV AI_V4MAPPED AI_ALL AI_ADDRCONFIG
    NI_NUMERICHOST NI_NUMERICSERV NI_NOFQDN NI_NAMEREQD NI_DGRAM
    EAI_BADFLAGS EAI_NONAME EAI_AGAIN EAI_FAIL EAI_FAMILY EAI_SOCKTYPE EAI_SERVICE EAI_MEMORY EAI_SYSTEM EAI_OVERFLOW EAI_NODATA
    INADDR_ANY INADDR_BROADCAST INADDR_LOOPBACK INADDR_NONE
};

/// Further numbers, which the C headers write as macros.
pub(crate) const NAMED_TOO: &[(&str, i64)] = &[
    ("EAI_ADDRFAMILY", -9),
    ("SOL_IP", 0),
    ("SOL_TCP", 6),
    ("SOL_UDP", 17),
    ("IP_DEFAULT_MULTICAST_TTL", 1),
    ("IP_DEFAULT_MULTICAST_LOOP", 1),
    ("IP_MAX_MEMBERSHIPS", 20),
    ("IPPORT_RESERVED", 1024),
    ("IPPORT_USERRESERVED", 5000),
    ("INADDR_UNSPEC_GROUP", 0xe000_0000),
    ("INADDR_ALLHOSTS_GROUP", 0xe000_0001),
    ("INADDR_MAX_LOCAL_GROUP", 0xe000_00ff),
    ("IPV6_JOIN_GROUP", 20),
    ("IPV6_LEAVE_GROUP", 21),
    ("IPV6_RTHDR_TYPE_0", 0),
];
