//! Whatever the bytes, an inspection ends, within its budget, and says the same twice.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use picklist::inspect::{Options, check, inspect, passes};
use picklist::policy::Policy;

fuzz_target!(|data: &[u8]| {
    let options = Options::default();
    let report = inspect(data, Policy::std(), &options);
    let verdict = check(data, Policy::std(), &options, &[]);
    assert_eq!(report.allowed(), verdict.allowed());
    let named = passes(data, Policy::std(), &options, &[]);
    let reported = report
        .allowed()
        .then(|| report.entries().collect::<BTreeSet<_>>());
    assert_eq!(named.map(|named| named.into_iter().collect()), reported);
    assert!(report.size <= data.len() as u64);
    assert!(serde_is_finite(&report.to_json().to_string()));
});

fn serde_is_finite(json: &str) -> bool {
    json.starts_with('{') && json.ends_with('}')
}
