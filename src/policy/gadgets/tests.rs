//! Tests of `gadgets.rs`: what holds, and every refusal.

use super::{MODULES, NAMES, reason};
use crate::policy::{Policy, PolicyError};

/// One name at least of every family, in every spelling that reaches it.
const GADGETS: &[(&str, &str)] = &[
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("os", "popen"),
    ("os.path", "exists"),
    ("subprocess", "Popen"),
    ("commands", "getoutput"),
    ("pty", "spawn"),
    ("asyncio.subprocess", "create_subprocess_exec"),
    ("asyncio", "create_subprocess_shell"),
    ("platform", "popen"),
    ("builtins", "eval"),
    ("__builtin__", "eval"),
    ("builtins", "exec"),
    ("__builtin__", "execfile"),
    ("builtins", "compile"),
    ("builtins", "open"),
    ("__builtin__", "file"),
    ("builtins", "__import__"),
    ("builtins", "getattr"),
    ("__builtin__", "getattr"),
    ("builtins", "setattr"),
    ("builtins", "type"),
    ("builtins", "map"),
    ("__builtin__", "map"),
    ("itertools", "imap"),
    ("builtins", "filter"),
    ("__builtin__", "apply"),
    ("__builtin__", "reduce"),
    ("__builtin__", "intern"),
    ("builtins", "globals"),
    ("io", "open"),
    ("_io", "open"),
    ("_io", "FileIO"),
    ("io", "open_code"),
    ("operator", "attrgetter"),
    ("_operator", "methodcaller"),
    ("_operator", "or_"),
    ("functools", "partial"),
    ("_functools", "partial"),
    ("functools", "reduce"),
    ("copyreg", "_reconstructor"),
    ("copy_reg", "__newobj__"),
    ("_codecs", "encode"),
    ("codecs", "decode"),
    ("encodings", "search_function"),
    ("pickle", "loads"),
    ("_pickle", "Unpickler"),
    ("cPickle", "loads"),
    ("dill", "loads"),
    ("dill._dill", "_load_type"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("joblib", "load"),
    ("joblib.numpy_pickle", "load"),
    ("shelve", "open"),
    ("marshal", "loads"),
    ("numpy", "load"),
    ("numpy.lib.npyio", "load"),
    ("numpy.core", "_ufunc_reconstruct"),
    ("pandas", "read_pickle"),
    ("pandas.io.pickle", "read_pickle"),
    ("torch", "load"),
    ("torch.storage", "_load_from_bytes"),
    ("torch.serialization", "load"),
    ("torch.hub", "load"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("yaml", "unsafe_load"),
    ("importlib", "import_module"),
    ("importlib._bootstrap", "_gcd_import"),
    ("runpy", "run_path"),
    ("imp", "load_source"),
    ("pkgutil", "resolve_name"),
    ("zipimport", "zipimporter"),
    ("code", "InteractiveInterpreter"),
    ("codeop", "compile_command"),
    ("timeit", "timeit"),
    ("cProfile", "run"),
    ("profile", "run"),
    ("pdb", "run"),
    ("bdb", "Bdb"),
    ("doctest", "debug_script"),
    ("trace", "Trace"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("types", "MethodType"),
    ("collections", "namedtuple"),
    ("ctypes", "CDLL"),
    ("_ctypes", "CFuncPtr"),
    ("ctypes.util", "find_library"),
    ("cffi", "FFI"),
    ("logging.config", "dictConfig"),
    ("pydoc", "pipepager"),
    ("webbrowser", "open"),
    ("shutil", "rmtree"),
    ("socket", "create_connection"),
    ("_socket", "socket"),
    ("urllib.request", "urlopen"),
    ("urllib", "urlopen"),
    ("urllib2", "urlopen"),
    ("multiprocessing", "Process"),
    ("multiprocessing.reduction", "rebuild_connection"),
    ("multiprocessing.process", "Process"),
    ("distutils.spawn", "spawn"),
    ("pip", "main"),
    ("pip._internal", "main"),
    ("setuptools.sandbox", "run_setup"),
    ("unittest.mock", "patch"),
    ("mock", "patch"),
    ("threading", "Thread"),
    ("sys", "setprofile"),
    ("inspect", "getattr_static"),
    ("gc", "get_objects"),
    ("weakref", "finalize"),
    ("logging", "os.system"),
    ("app", "subprocess.Popen"),
    ("app", "Cls.__class__"),
    ("app", "f.__globals__"),
    ("app", "Cls.__subclasses__"),
];

#[test]
fn test_no_policy_names_a_gadget_by_accident() {
    for (module, name) in GADGETS {
        for base in [Policy::plain(), Policy::std()] {
            match base.to_builder().allow(module, name) {
                Err(PolicyError::Gadget { path, reason }) => {
                    assert_eq!(path, format!("{module}.{name}"));
                    assert!(reason.starts_with("it "), "{reason}");
                }
                other => panic!("{module}.{name}: {other:?}"),
            }
        }
        let dangerous = Policy::plain()
            .to_builder()
            .allow_dangerously(module, name, None);
        assert!(dangerous.unwrap().build().is_ok(), "{module}.{name}");
    }
}

#[test]
fn test_data_is_no_gadget() {
    for (module, name) in [
        ("datetime", "date"),
        ("collections", "OrderedDict"),
        ("collections", "UserDict"),
        ("decimal", "Decimal"),
        ("os", "stat_result"),
        ("subprocess", "CompletedProcess"),
        ("socket", "AddressFamily"),
        ("signal", "Signals"),
        ("ssl", "TLSVersion"),
        ("pickle", "PickleBuffer"),
        ("builtins", "ValueError"),
        ("builtins", "int"),
        ("builtins", "range"),
        ("io", "BytesIO"),
        ("types", "SimpleNamespace"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("pandas", "DataFrame"),
        ("torch", "FloatStorage"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("osgeo", "System"),
        ("codebase", "Model"),
        ("app.os", "Thing"),
        ("code_review", "Comment"),
        ("app", "Outer.Inner"),
        ("sklearn.pipeline", "Pipeline"),
        ("itertools", "count"),
        ("multiprocessing.context", "TimeoutError"),
    ] {
        assert_eq!(reason(module, name), None, "{module}.{name}");
    }
}

#[test]
fn test_aliases_and_documents_are_held_to_it() {
    let alias = Policy::plain()
        .to_builder()
        .allow("app", "Data")
        .unwrap()
        .alias(("app", "Data"), ("os", "system"));
    assert!(matches!(alias, Err(PolicyError::Gadget { .. })));
    let row = "[policy]\nbase = []\n[[entry]]\nmodule = \"os\"\nname = \"system\"\n";
    assert!(matches!(
        Policy::from_toml(row),
        Err(PolicyError::Gadget { .. })
    ));
    assert!(Policy::from_toml(&format!("{row}dangerously = true\n")).is_ok());
}

#[test]
fn test_the_tables_hold_together() {
    for (at, module) in MODULES.iter().enumerate() {
        assert!(!module.name.is_empty());
        let shadowed = MODULES[..at]
            .iter()
            .any(|earlier| earlier.name == module.name);
        assert!(!shadowed, "{} twice", module.name);
    }
    for (module, names, _) in NAMES {
        for name in *names {
            assert!(reason(module, name).is_some());
        }
    }
}
