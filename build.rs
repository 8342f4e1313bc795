//! Tells the loader which CPython it is built for: `Py_3_12`, `Py_GIL_DISABLED` and their kin become `cfg`s.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(Py_3_12)");
    println!("cargo::rustc-check-cfg=cfg(Py_3_13)");
    println!("cargo::rustc-check-cfg=cfg(Py_3_14)");
    println!("cargo::rustc-check-cfg=cfg(Py_3_15)");
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
