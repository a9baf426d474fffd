//! Names of hosts, services, protocols and interfaces. What may ask the network runs in a helper thread that can be left behind.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::address::{host_bytes, host_text, plain_error, show};
use crate::gil::Activity;
use crate::object::native::Args;
use crate::object::types::numeric::is_int;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::os::socket::{self as os, Address, Found, LookupError, Query};
use crate::stdlib::{exception_class, os_error};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// `socket.gaierror` and `socket.herror`.
pub(crate) const LOOKUP_ERROR: &str = "socket.gaierror";
pub(crate) const HOST_ERROR: &str = "socket.herror";

/// The class of one of them.
pub(crate) fn error_class(vm: &mut Vm, name: &'static str) -> Result<Value> {
    exception_class::class(vm, name, &[ExceptionKind::OSError])
}

fn raise(vm: &mut Vm, name: &'static str, code: i32, text: &str) -> Raised {
    let made = error_class(vm, name).and_then(|class| {
        let text = vm.new_str(text);
        vm.call(&class, &[Value::small(i64::from(code)), text])
    });
    match made {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}

fn lookup_error(vm: &mut Vm, error: &LookupError) -> Raised {
    raise(vm, LOOKUP_ERROR, error.code, &error.text)
}

/// Looks up what may be a name: at once when it is a number.
fn look_up(vm: &mut Vm, query: &Query) -> Result<Vec<Found>> {
    let without_names = Query { flags: query.flags | os::NUMERIC_HOST, ..query.clone() };
    let found = match os::look_up(&without_names) {
        Err(error) if error.is_not_a_number() && query.flags & os::NUMERIC_HOST == 0 => {
            let query = query.clone();
            match vm.wait_for_helper(Activity::NameLookup, move || os::look_up(&query))? {
                Ok(found) => found,
                Err(error) => return Err(os_error::raise(vm, error, None)),
            }
        }
        found => found,
    };
    found.map_err(|error| lookup_error(vm, &error))
}

/// The address of a host in a socket's address: empty for any, `<broadcast>` for all.
pub(crate) fn address_of(vm: &mut Vm, host: &[u8], family: i32) -> Result<Address> {
    let text = std::str::from_utf8(host).unwrap_or_default();
    match family {
        os::INET if host.is_empty() => return Ok(Address::V4 { ip: [0; 4], port: 0 }),
        os::INET6 if host.is_empty() => return Ok(Address::V6 { ip: [0; 16], port: 0, flow: 0, scope: 0 }),
        os::INET if text == "<broadcast>" || text == "255.255.255.255" => return Ok(Address::V4 { ip: [255; 4], port: 0 }),
        os::INET => {
            if let Ok(ip) = text.parse::<Ipv4Addr>() {
                return Ok(Address::V4 { ip: ip.octets(), port: 0 });
            }
        }
        _ => {
            if let Ok(ip) = text.parse::<Ipv6Addr>() {
                return Ok(Address::V6 { ip: ip.octets(), port: 0, flow: 0, scope: 0 });
            }
        }
    }
    let found = look_up(vm, &Query { host: Some(host.to_vec()), family, ..Query::default() })?;
    match found.into_iter().find_map(|found| found.address) {
        Some(address) => Ok(address),
        None => Err(plain_error(vm, "the host has no address")),
    }
}

fn optional_int(vm: &mut Vm, args: Args<'_>, index: usize) -> Result<i32> {
    args.given(index).map_or(Ok(0), |value| vm.parsed_int(value))
}

/// `getaddrinfo(host, port, family=0, type=0, proto=0, flags=0)`
pub(crate) fn get_address_info(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let host = if args[0].is_none() {
        None
    } else if args[0].holds::<Str>() || vm.is_bytes_like(&args[0]) {
        Some(host_bytes(vm, &args[0])?)
    } else {
        return Err(vm.type_error("getaddrinfo() argument 1 must be string or None"));
    };
    let service = if args[1].is_none() {
        None
    } else if is_int(&args[1]) {
        Some(vm.index_i64(&args[1])?.to_string().into_bytes())
    } else if args[1].holds::<Str>() || vm.is_bytes_like(&args[1]) {
        Some(host_bytes(vm, &args[1])?)
    } else {
        return Err(plain_error(vm, "Int or String expected"));
    };
    let query = Query {
        host,
        service,
        family: optional_int(vm, args, 2)?,
        kind: optional_int(vm, args, 3)?,
        protocol: optional_int(vm, args, 4)?,
        flags: optional_int(vm, args, 5)?,
    };
    let found = look_up(vm, &query)?;
    let mut rows = Vec::with_capacity(found.len());
    for found in found {
        let name = vm.new_str(found.canonical_name.as_str());
        let address = show(vm, found.address.as_ref());
        let number = |number: i32| Value::small(i64::from(number));
        rows.push(vm.new_tuple(vec![number(found.family), number(found.kind), number(found.protocol), name, address]));
    }
    Ok(vm.new_list(rows))
}

/// `getnameinfo(sockaddr, flags)`
pub(crate) fn get_name_info(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if args[0].downcast::<Tuple>().is_none() {
        return Err(vm.type_error("getnameinfo() argument 1 must be a tuple"));
    }
    let items = vm.tuple_items(&args[0]);
    if !(2..=4).contains(&items.len()) {
        return Err(vm.type_error("getnameinfo(): illegal sockaddr argument"));
    }
    let flags = vm.parsed_int(&args[1])?;
    let host = host_bytes(vm, &items[0])?;
    let port = vm.index_i64(&items[1])?;
    let flow = items.get(2).map_or(Ok(0), |flow| vm.index_i64(flow))?;
    if !(0..=0xf_ffff).contains(&flow) {
        return Err(vm.overflow_error("getnameinfo(): flowinfo must be 0-1048575."));
    }
    let scope = items.get(3).map_or(Ok(0), |scope| vm.index_i64(scope))?;
    let service = Some((port as u16).to_string().into_bytes());
    let query = Query { host: Some(host), service, kind: os::DATAGRAM, flags: os::NUMERIC_HOST | os::NUMERIC_SERVICE, ..Query::default() };
    let found = os::look_up(&query).map_err(|error| lookup_error(vm, &error))?;
    if found.len() > 1 {
        return Err(plain_error(vm, "sockaddr resolved to multiple addresses"));
    }
    let Some(mut address) = found.into_iter().next().and_then(|found| found.address) else {
        return Err(plain_error(vm, "the host has no address"));
    };
    match &mut address {
        Address::V6 { flow: flow_info, scope: scope_id, .. } => {
            *flow_info = flow as u32;
            *scope_id = scope as u32;
        }
        _ if items.len() > 2 => return Err(plain_error(vm, "IPv4 sockaddr must be 2 tuple")),
        _ => {}
    }
    let names = match vm.wait_for_helper(Activity::NameLookup, move || os::name_of(&address, flags))? {
        Ok(names) => names,
        Err(error) => return Err(os_error::raise(vm, error, None)),
    };
    let (host, service) = names.map_err(|error| lookup_error(vm, &error))?;
    let items = vec![vm.new_str(host), vm.new_str(service)];
    Ok(vm.new_tuple(items))
}

/// `gethostbyname(hostname)`
pub(crate) fn get_host_by_name(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let host = host_bytes(vm, &args[0])?;
    let address = address_of(vm, &host, os::INET)?;
    Ok(vm.new_str(host_text(&address)))
}

fn host_row(vm: &mut Vm, name: &str, addresses: Vec<String>) -> Value {
    let name = vm.new_str(name);
    let aliases = vm.new_list(Vec::new());
    let addresses = addresses.into_iter().map(|address| vm.new_str(address)).collect();
    let addresses = vm.new_list(addresses);
    vm.new_tuple(vec![name, aliases, addresses])
}

/// `gethostbyname_ex(hostname)`
pub(crate) fn get_host_by_name_too(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let host = host_bytes(vm, &args[0])?;
    let given = String::from_utf8_lossy(&host).into_owned();
    let query = Query { host: Some(host), family: os::INET, kind: os::STREAM, flags: os::WITH_CANONICAL_NAME, ..Query::default() };
    let found = look_up(vm, &query)?;
    let name = found.first().map(|found| found.canonical_name.clone()).filter(|name| !name.is_empty()).unwrap_or(given);
    let addresses = found.iter().filter_map(|found| found.address.as_ref()).map(host_text).collect();
    Ok(host_row(vm, &name, addresses))
}

/// `gethostbyaddr(host)`
pub(crate) fn get_host_by_address(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let host = host_bytes(vm, &args[0])?;
    let found = look_up(vm, &Query { host: Some(host), kind: os::STREAM, ..Query::default() })?;
    let Some(address) = found.into_iter().find_map(|found| found.address) else {
        return Err(raise(vm, HOST_ERROR, 1, "Unknown host"));
    };
    let text = host_text(&address);
    let names = match vm.wait_for_helper(Activity::NameLookup, move || os::name_of(&address, os::NAME_REQUIRED))? {
        Ok(names) => names,
        Err(error) => return Err(os_error::raise(vm, error, None)),
    };
    match names {
        Ok((name, _)) => Ok(host_row(vm, &name, vec![text])),
        Err(_) => Err(raise(vm, HOST_ERROR, 1, "Unknown host")),
    }
}

/// The kind of sockets that a protocol of this name stands for; 0 when any will do.
fn kind_of_protocol(vm: &mut Vm, args: Args<'_>, index: usize, function: &str) -> Result<Option<i32>> {
    let Some(protocol) = args.given(index) else { return Ok(Some(0)) };
    let protocol = vm.expect_string(protocol, &format!("{function}() argument 2"))?;
    Ok(match protocol.as_str() {
        "tcp" => Some(os::STREAM),
        "udp" => Some(os::DATAGRAM),
        _ => None,
    })
}

/// `getservbyname(servicename[, protocolname])`
pub(crate) fn get_service_by_name(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = vm.expect_string(&args[0], "getservbyname() argument 1")?;
    let kind = kind_of_protocol(vm, args, 1, "getservbyname")?;
    if let Some(kind) = kind.filter(|_| name.parse::<u32>().is_err()) {
        let query = Query { service: Some(name.into_bytes()), family: os::INET, kind, ..Query::default() };
        if let Ok(found) = os::look_up(&query) {
            if let Some(Address::V4 { port, .. }) = found.into_iter().find_map(|found| found.address) {
                return Ok(Value::small(i64::from(port)));
            }
        }
    }
    Err(plain_error(vm, "service/proto not found"))
}

/// `getservbyport(port[, protocolname])`
pub(crate) fn get_service_by_port(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let port = vm.parsed_int(&args[0])?;
    let Ok(port) = u16::try_from(port) else { return Err(vm.overflow_error("getservbyport: port must be 0-65535.")) };
    let kind = kind_of_protocol(vm, args, 1, "getservbyport")?;
    if let Some(kind) = kind {
        let flags = if kind == os::DATAGRAM { os::DATAGRAM_SERVICE } else { 0 } | os::NUMERIC_HOST_NAME;
        if let Ok((_, service)) = os::name_of(&Address::V4 { ip: [0; 4], port }, flags) {
            if service.parse::<u16>().is_err() {
                return Ok(vm.new_str(service));
            }
        }
    }
    Err(plain_error(vm, "port/proto not found"))
}

/// `getprotobyname(name)`
pub(crate) fn get_protocol(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = vm.expect_string(&args[0], "getprotobyname() argument 1")?;
    // The numbers are fixed (IANA's registry); these are the ones systems list.
    const PROTOCOLS: &[(&str, i64)] = &[
        ("ip", 0),
        ("icmp", 1),
        ("igmp", 2),
        ("ipip", 4),
        ("ipencap", 4),
        ("tcp", 6),
        ("egp", 8),
        ("pup", 12),
        ("udp", 17),
        ("idp", 22),
        ("rdp", 27),
        ("dccp", 33),
        ("ipv6", 41),
        ("rsvp", 46),
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("ipv6-icmp", 58),
        ("ospf", 89),
        ("pim", 103),
        ("sctp", 132),
        ("udplite", 136),
    ];
    match PROTOCOLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
        Some(&(_, number)) => Ok(Value::small(number)),
        None => Err(plain_error(vm, "protocol not found")),
    }
}

/// `inet_aton(ip_addr)`: also the old forms with fewer parts, octal and hexadecimal.
pub(crate) fn inet_aton(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let text = vm.expect_string(&args[0], "inet_aton() argument 1")?;
    match parse_old_address(&text) {
        Some(ip) => Ok(vm.new_bytes(ip.to_vec())),
        None => Err(plain_error(vm, "illegal IP address string passed to inet_aton")),
    }
}

fn parse_old_address(text: &str) -> Option<[u8; 4]> {
    let text = text.split_ascii_whitespace().next()?;
    let parts: Vec<u32> = text
        .split('.')
        .map(|part| match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
            None if part.starts_with('+') => None,
            None => part.parse().ok(),
        })
        .collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    // The last part fills what the others leave.
    if first.len() > 3 || first.iter().any(|&part| part > 255) || (!first.is_empty() && *last >> (8 * (4 - first.len())) != 0) {
        return None;
    }
    let high = first.iter().enumerate().fold(0, |sum, (place, part)| sum | part << (24 - 8 * place));
    Some((high | last).to_be_bytes())
}

/// `inet_ntoa(packed_ip)`
pub(crate) fn inet_ntoa(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bytes = crate::object::types::buffer::buffer(vm, &args[0])?;
    match <[u8; 4]>::try_from(bytes) {
        Ok(ip) => Ok(vm.new_str(Ipv4Addr::from(ip).to_string())),
        Err(_) => Err(plain_error(vm, "packed IP wrong length for inet_ntoa")),
    }
}

/// `inet_pton(af, ip)`
pub(crate) fn inet_pton(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let family = vm.parsed_int(&args[0])?;
    let text = vm.expect_string(&args[1], "inet_pton() argument 2")?;
    let bytes = match family {
        os::INET => text.parse::<Ipv4Addr>().ok().map(|ip| ip.octets().to_vec()),
        os::INET6 => text.parse::<Ipv6Addr>().ok().map(|ip| ip.octets().to_vec()),
        _ => return Err(os_error::raise(vm, os::unknown_family(), None)),
    };
    match bytes {
        Some(bytes) => Ok(vm.new_bytes(bytes)),
        None => Err(plain_error(vm, "illegal IP address string passed to inet_pton")),
    }
}

/// `inet_ntop(af, packed_ip)`
pub(crate) fn inet_ntop(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let family = vm.parsed_int(&args[0])?;
    let bytes = crate::object::types::buffer::buffer(vm, &args[1])?;
    let text = match family {
        os::INET => <[u8; 4]>::try_from(bytes).ok().map(|ip| Ipv4Addr::from(ip).to_string()),
        os::INET6 => <[u8; 16]>::try_from(bytes).ok().map(|ip| Ipv6Addr::from(ip).to_string()),
        _ => return Err(vm.value_error(format!("unknown address family {family}"))),
    };
    match text {
        Some(text) => Ok(vm.new_str(text)),
        None => Err(vm.value_error("invalid length of packed IP address string")),
    }
}

/// `if_nameindex()`
pub(crate) fn interfaces(vm: &mut Vm, _: Args<'_>) -> Result<Value> {
    let found = os::interfaces().map_err(|error| os_error::raise(vm, error, None))?;
    let mut rows = Vec::with_capacity(found.len());
    for (number, name) in found {
        let name = vm.new_str(name);
        rows.push(vm.new_tuple(vec![Value::small(i64::from(number)), name]));
    }
    Ok(vm.new_list(rows))
}

/// `if_nametoindex(name)`
pub(crate) fn interface_number(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (name, _) = os_error::path_argument(vm, &args[0], "if_nametoindex: name")?;
    match os::interface_number(&name) {
        Ok(number) => Ok(Value::small(i64::from(number))),
        Err(_) => Err(plain_error(vm, "no interface with this name")),
    }
}

/// `if_indextoname(index)`
pub(crate) fn interface_name(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let number = vm.index_i64(&args[0])?;
    match os::interface_name(number as u32) {
        Ok(name) => Ok(vm.new_str(name)),
        Err(error) => Err(os_error::raise(vm, error, None)),
    }
}
