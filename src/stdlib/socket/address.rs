//! Socket addresses as scripts write them: `(host, port)`, `(host, port, flowinfo, scope_id)`, a path; and the look-up of names in them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::lookup;
use crate::object::types::bytearray::ByteArray;
use crate::object::types::bytes::Bytes;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::os::socket::{self as os, Address};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// `OSError(message)`, without a number.
pub(crate) fn plain_error(vm: &mut Vm, message: &str) -> Raised {
    vm.raise(ExceptionKind::OSError, message)
}

/// The address that `value` means to a socket of this family, in the words of `function`.
pub(crate) fn parse(vm: &mut Vm, value: &Value, family: i32, function: &str) -> Result<Address> {
    match family {
        os::INET => parse_v4(vm, value, function),
        os::INET6 => parse_v6(vm, value, function),
        os::UNIX => parse_unix(vm, value),
        _ => Err(plain_error(vm, &format!("{function}(): bad family"))),
    }
}

fn parse_v4(vm: &mut Vm, value: &Value, function: &str) -> Result<Address> {
    if value.downcast::<Tuple>().is_none() {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("{function}(): AF_INET address must be tuple, not {name}")));
    }
    let items = vm.tuple_items(value);
    let [host, port] = items.as_slice() else {
        return Err(vm.type_error("AF_INET address must be a pair (host, port)"));
    };
    let host = host_bytes(vm, host)?;
    let port = parse_port(vm, port, function)?;
    Ok(match lookup::address_of(vm, &host, os::INET)? {
        Address::V4 { ip, .. } => Address::V4 { ip, port },
        other => other,
    })
}

fn parse_v6(vm: &mut Vm, value: &Value, function: &str) -> Result<Address> {
    if value.downcast::<Tuple>().is_none() {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("{function}(): AF_INET6 address must be tuple, not {name}")));
    }
    let items = vm.tuple_items(value);
    if !(2..=4).contains(&items.len()) {
        return Err(vm.type_error("AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])"));
    }
    let host = host_bytes(vm, &items[0])?;
    let port = parse_port(vm, &items[1], function)?;
    let flow = items.get(2).map_or(Ok(0), |flow| vm.index_i64(flow))?;
    if !(0..=0xf_ffff).contains(&flow) {
        return Err(vm.overflow_error(format!("{function}(): flowinfo must be 0-1048575.")));
    }
    let scope = items.get(3).map_or(Ok(0), |scope| vm.masked_u32(scope))?;
    Ok(match lookup::address_of(vm, &host, os::INET6)? {
        Address::V6 { ip, scope: found, .. } => Address::V6 { ip, port, flow: flow as u32, scope: if items.len() > 3 { scope } else { found } },
        other => other,
    })
}

fn parse_unix(vm: &mut Vm, value: &Value) -> Result<Address> {
    let path = if value.holds::<Str>() { super::super::os_error::path_bytes(vm, value)? } else { crate::object::types::buffer::buffer(vm, value)? };
    let is_abstract = path.first() == Some(&0);
    if path.len() > if is_abstract { os::UNIX_PATH } else { os::UNIX_PATH - 1 } {
        return Err(plain_error(vm, "AF_UNIX path too long"));
    }
    Ok(Address::Unix(path))
}

fn parse_port(vm: &mut Vm, value: &Value, function: &str) -> Result<u16> {
    let port = vm.index_i64(value)?;
    u16::try_from(port).map_err(|_| vm.overflow_error(format!("{function}(): port must be 0-65535.")))
}

/// A host's name as the system looks it up: text that is not ASCII in the encoding of internet names.
pub(crate) fn host_bytes(vm: &mut Vm, value: &Value) -> Result<Vec<u8>> {
    let bytes = if let Some(text) = vm.text_of(value) {
        match text.to_utf8() {
            Ok(text) if text.is_ascii() => text.as_bytes().to_vec(),
            _ => {
                let idna = vm.new_str("idna");
                let encoded = vm.call_method(value, "encode", &[idna])?;
                vm.bytes_vec(&encoded)?
            }
        }
    } else if value.holds::<Bytes>() || value.holds::<ByteArray>() {
        vm.bytes_vec(value)?
    } else {
        let name = vm.type_name(value);
        return Err(vm.type_error(format!("str, bytes or bytearray expected, not {name}")));
    };
    if bytes.contains(&0) {
        return Err(vm.type_error("host name must not contain null character"));
    }
    Ok(bytes)
}

/// The text of an IP address.
pub(crate) fn host_text(address: &Address) -> String {
    match address {
        Address::V4 { ip, .. } => Ipv4Addr::from(*ip).to_string(),
        Address::V6 { scope: 1.., .. } => os::name_of(address, os::NUMERIC_HOST_NAME).map(|(host, _)| host).unwrap_or_default(),
        Address::V6 { ip, .. } => Ipv6Addr::from(*ip).to_string(),
        Address::Unix(_) | Address::Other(..) => String::new(),
    }
}

/// An address as scripts see it.
pub(crate) fn show(vm: &mut Vm, address: Option<&Address>) -> Value {
    let Some(address) = address else { return Value::NONE };
    match address {
        Address::V4 { port, .. } => {
            let host = vm.new_str(host_text(address));
            vm.new_tuple(vec![host, Value::small(i64::from(*port))])
        }
        Address::V6 { port, flow, scope, .. } => {
            let host = vm.new_str(host_text(address));
            vm.new_tuple(vec![host, Value::small(i64::from(*port)), Value::small(i64::from(*flow)), Value::small(i64::from(*scope))])
        }
        Address::Unix(path) if path.first() == Some(&0) => vm.new_bytes(path.clone()),
        Address::Unix(path) => super::super::os_error::path_value(vm, path),
        Address::Other(family, bytes) => {
            let bytes = vm.new_bytes(bytes.clone());
            vm.new_tuple(vec![Value::small(i64::from(*family)), bytes])
        }
    }
}
