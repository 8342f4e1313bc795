//! `ipaddress`, from the int or the text that its classes pickle as.

use pyo3::prelude::*;

use super::super::PyWorld;
use super::super::ffi::{self, Value};
use super::direct::{LONG, Sort};
use crate::machine::budget::Budget;
use crate::machine::world::Made;
use crate::policy::{EntryId, Native, address_and_prefix, scoped_address};

impl PyWorld<'_, '_> {
    /// `IPv4Address(int)`.
    #[inline(never)]
    pub(super) fn address4_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [address] = args else { return LONG };
        match ffi::small_int(self.py, address) {
            Some(0..=0xffff_ffff) => {}
            _ => return LONG,
        }
        let Some(value) = ffi::address4(self.py, class, address)? else {
            return LONG;
        };
        budget.depth(1)?;
        Ok(self.met(value, id, 1, Sort::Ipv4Address))
    }

    /// `IPv6Address(text)`, without a scope: ten times as fast as the constructor, which parses the text in Python.
    #[inline(never)]
    pub(super) fn address6_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [text] = args else { return LONG };
        let Some(Ok(address)) = ffi::latin1_text(text).map(std::str::from_utf8) else {
            return LONG;
        };
        let length = address.len() as u64;
        let Some(address) = scoped_address(address).filter(|_| !address.contains('%')) else {
            return LONG;
        };
        let Some(value) = ffi::address6(self.py, class, address.to_bits())? else {
            return LONG;
        };
        budget.memory(length)?;
        budget.depth(1)?;
        Ok(self.met(value, id, 1, Sort::Ipv6Address))
    }

    /// `IPv4Network(text)` and its like: the constructor is given what the contract reads in the text, an address and a
    /// prefix, and need not parse it. Twice as fast.
    #[inline(never)]
    pub(super) fn network_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        native: Native,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [text] = args else { return LONG };
        let Some(Ok(text)) = ffi::latin1_text(text).map(std::str::from_utf8) else {
            return LONG;
        };
        let wide = matches!(native, Native::Ipv6Network | Native::Ipv6Interface);
        let read = address_and_prefix(text, wide).filter(|_| !text.contains('%'));
        let Some((address, prefix)) = read else {
            return LONG;
        };
        let width = if wide { 128 } else { 32 };
        let hosts = !u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        let is_network = matches!(native, Native::Ipv4Network | Native::Ipv6Network);
        if is_network && address & hosts != 0 {
            return LONG;
        }
        budget.memory(text.len() as u64)?;
        budget.depth(1)?;
        budget.memory(native.extra_memory())?;
        let object = class.bind(self.py).call1(((address, prefix),));
        let value = Value::plain(object.map_err(|error| self.bad_value(error))?);
        Ok(self.met(value, id, 1, Sort::Network))
    }
}
