//! What an independent decoder reads as plain data, the inspector follows to the end, unless it refuses the spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use picklist::error::Kind;
use picklist::inspect::{Options, inspect};
use picklist::policy::Policy;
use serde_pickle::{DeOptions, Value};

fuzz_target!(|data: &[u8]| {
    // The oracle copies what the memo shares and recurses: small inputs only.
    if data.len() > 512 {
        return;
    }
    let options = Options::default();
    let report = inspect(data, Policy::std(), &options);
    let theirs: Result<Value, _> = serde_pickle::value_from_slice(data, DeOptions::new());
    if theirs.is_ok()
        && let Some(fault) = &report.fault
    {
        // It reads on where pickle does not: past frames, marks and missing values.
        assert!(!matches!(fault.kind, Kind::Limit { .. }), "{fault:?}");
    }
});
