//! A pickle that comes in pieces is inspected as one that comes whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use picklist::inspect::{Fed, Inspector, Options, inspect};
use picklist::policy::Policy;

fuzz_target!(|data: &[u8]| {
    let options = Options::default();
    let whole = inspect(data, Policy::std(), &options);
    let mut inspector = Inspector::new(Policy::std(), &options);
    let mut end = 0;
    let pieces = loop {
        match inspector.feed(data.get(..end).unwrap_or(data), &[]) {
            Fed::Done(inspection) => break *inspection,
            Fed::NeedMore(_) if end >= data.len() => break inspector.finish(data, &[]),
            Fed::NeedMore(need) => {
                let need = usize::try_from(need.max(1)).unwrap_or(usize::MAX);
                end = end.saturating_add(need).min(data.len());
            }
        }
    };
    assert_eq!(pieces.allowed(), whole.allowed());
});
