//! Universal gadgets: callables that do anything at all for whoever chooses
//! their arguments, and so are never data. Owns the list and a reason for each
//! family. It is asked when a policy is *built*, to stop a mistake early; at
//! load time only the policy's own names count, listed here or not.

/// A module whose every name, submodules included, belongs to a family.
struct Module {
    name: &'static str,
    reason: &'static str,
    /// Plain data that lives there all the same.
    except: &'static [&'static str],
}

const COMMANDS: &str = "it runs commands or acts on files and processes";
const FILES: &str = "it opens, writes or deletes files";
const CODE: &str = "it compiles, runs or builds code";
const NATIVE_CODE: &str = "it reads, writes or calls arbitrary memory";
const IMPORTS: &str = "it imports modules by name, which runs them";
const LOADERS: &str = "it loads another pickle without any policy";
const TRAMPOLINE: &str = "it calls, reads or builds whatever its arguments name";
const CODECS: &str = "it imports and runs any codec by name";
const NETWORK: &str = "it opens connections or fetches addresses";
const CONFIGURES: &str = "it calls whatever its configuration names";
const TESTING: &str = "it replaces or runs what its arguments name";
const INSTALLS: &str = "it installs or builds packages, which runs their code";
const INTERPRETER: &str = "it changes or exposes the state of the interpreter";

macro_rules! modules {
    ($($reason:ident: $($name:literal $(except $($kept:literal)+)?),+;)+) => {
        &[$($(Module {
            name: $name,
            reason: $reason,
            except: &[$($($kept),+)?],
        }),+),+]
    };
}

/// Sorted into families; a submodule belongs to its package.
#[rustfmt::skip]
const MODULES: &[Module] = modules! {
    COMMANDS:
        "os" except "stat_result" "terminal_size" "times_result" "uname_result" "statvfs_result",
        "posix" except "stat_result" "terminal_size" "times_result" "uname_result",
        "nt" except "stat_result" "terminal_size" "times_result" "uname_result",
        "subprocess" except "CompletedProcess" "CalledProcessError" "TimeoutExpired" "SubprocessError",
        "_posixsubprocess", "_winapi", "winreg", "_winreg", "pty", "popen2", "commands",
        "asyncio.subprocess", "asyncio.base_subprocess", "asyncio.unix_events",
        "asyncio.windows_utils", "sh", "plumbum", "pexpect", "ptyprocess", "fabric", "invoke",
        "signal" except "Signals" "Handlers" "Sigmasks" "struct_siginfo", "resource",
        "faulthandler", "_posixshmem";
    FILES:
        "shutil", "tempfile", "fileinput", "glob", "mmap", "_io", "zipfile", "tarfile",
        "sqlite3", "dbm", "linecache";
    CODE:
        "code", "codeop", "pdb", "bdb", "trace", "timeit", "cProfile", "profile",
        "_lsprof", "doctest", "runpy", "compileall", "py_compile", "rlcompleter", "idlelib",
        "IPython", "marshal", "numexpr", "sympy.parsing", "jinja2", "mako", "site",
        "sitecustomize", "usercustomize";
    NATIVE_CODE:
        "ctypes", "_ctypes", "cffi", "_cffi_backend", "numpy.ctypeslib", "numpy.f2py",
        "torch.utils.cpp_extension", "torch.ops", "torch.classes";
    IMPORTS:
        "importlib", "_frozen_importlib", "_frozen_importlib_external", "_imp", "imp", "pkgutil",
        "zipimport", "zipapp", "pkg_resources", "modulefinder", "ihooks", "imputil";
    LOADERS:
        "pickle" except "PickleBuffer" "PickleError" "PicklingError" "UnpicklingError",
        "_pickle" except "PickleBuffer" "PickleError" "PicklingError" "UnpicklingError",
        "cPickle", "pickletools", "shelve", "dill", "cloudpickle",
        "joblib.numpy_pickle" except "NumpyArrayWrapper", "joblib", "jsonpickle", "yaml", "ruamel", "hickle", "klepto",
        "sklearn.externals.joblib.numpy_pickle" except "NumpyArrayWrapper", "sklearn.externals",
        "torch.serialization", "torch.package", "torch.jit", "torch.hub",
        "pandas.io", "pandas.compat.pickle_compat", "pandas.core.computation", "numpy.lib.npyio",
        "numpy.lib._npyio_impl", "numpy.lib.format", "numpy.testing", "skops.io",
        "keras.models", "keras.saving", "tensorflow.keras.models", "multiprocessing.reduction",
        "multiprocessing.connection", "multiprocessing.managers", "xmlrpc";
    TRAMPOLINE:
        "operator", "_operator", "functools", "_functools", "copyreg", "copy_reg",
        "inspect" except "_ParameterKind" "BufferFlags" "Parameter" "Signature", "gc",
        "weakref", "_weakref", "contextlib", "concurrent.futures", "threading", "_thread",
        "thread", "_threading_local",
        "multiprocessing.context" except
            "ProcessError" "BufferTooShort" "TimeoutError" "AuthenticationError",
        "multiprocessing", "sched", "atexit", "toolz", "cytoolz", "funcy", "torch._dynamo",
        "torch.fx";
    CODECS: "codecs", "_codecs", "encodings";
    NETWORK:
        "socket" except "AddressFamily" "SocketKind" "MsgFlag" "AddressInfo",
        "_socket", "socketserver", "ssl" except
            "Options" "AlertDescription" "SSLErrorNumber" "VerifyFlags" "VerifyMode" "TLSVersion",
        "urllib.request", "urllib2", "http.client", "http.server", "httplib", "ftplib",
        "smtplib", "poplib", "imaplib", "nntplib", "telnetlib", "webbrowser", "antigravity",
        "wsgiref", "requests", "aiohttp", "httpx", "paramiko", "asyncio";
    CONFIGURES: "logging.config", "logging.handlers", "pydoc", "_sitebuiltins", "tkinter",
        "Tkinter", "turtledemo";
    TESTING: "unittest", "mock", "test.support", "test.libregrtest", "pytest", "_pytest", "nose";
    INSTALLS: "pip", "setuptools", "distutils", "ensurepip", "venv", "easy_install", "_distutils_hack",
        "wheel", "conda";
    INTERPRETER: "sys", "_xxsubinterpreters", "_interpreters", "_testcapi",
        "_testinternalcapi";
};

/// Single names of modules that hold plain data as well.
#[rustfmt::skip]
const NAMES: &[(&str, &[&str], &str)] = &[
    (
        "builtins",
        &["eval", "exec", "execfile", "compile", "__build_class__", "breakpoint"],
        CODE,
    ),
    ("builtins", &["__import__", "reload", "help", "license", "credits"], IMPORTS),
    ("builtins", &["open", "file", "input", "raw_input", "print"], FILES),
    (
        "builtins",
        &[
            "getattr", "setattr", "delattr", "hasattr", "type", "super", "map", "filter", "apply",
            "globals", "locals", "vars", "dir", "iter", "next", "sorted", "min", "max", "sum",
            "any", "all", "zip", "enumerate", "reversed", "classmethod", "staticmethod",
            "property", "callable", "isinstance", "issubclass", "format", "repr", "ascii",
            "memoryview", "id", "exit", "quit", "intern", "buffer", "coerce",
        ],
        TRAMPOLINE,
    ),
    (
        "itertools",
        &["starmap", "accumulate", "takewhile", "dropwhile", "filterfalse", "groupby", "ifilter",
          "imap", "ifilterfalse"],
        TRAMPOLINE,
    ),
    ("io", &["open", "open_code", "FileIO", "OpenWrapper", "file"], FILES),
    (
        "types",
        &["FunctionType", "LambdaType", "CodeType", "CellType"],
        CODE,
    ),
    (
        "types",
        &[
            "MethodType", "ModuleType", "BuiltinFunctionType", "BuiltinMethodType",
            "DynamicClassAttribute", "coroutine", "new_class", "prepare_class", "resolve_bases",
            "GenericAlias",
        ],
        TRAMPOLINE,
    ),
    ("collections", &["namedtuple"], CODE),
    ("new", &["code", "function", "classobj", "instancemethod", "instance", "module"], CODE),
    ("typing", &["NamedTuple", "get_type_hints", "_eval_type", "ForwardRef"], CODE),
    ("dataclasses", &["make_dataclass", "_create_fn"], CODE),
    ("enum", &["_decompose", "global_enum", "_simple_enum"], TRAMPOLINE),
    ("random", &["_os"], COMMANDS),
    ("platform", &["popen", "_syscmd_ver", "_syscmd_uname", "_syscmd_file"], COMMANDS),
    ("uuid", &["_popen", "_get_command_stdout"], COMMANDS),
    ("symtable", &["symtable"], CODE),
    ("gzip", &["open", "GzipFile"], FILES),
    ("bz2", &["open", "BZ2File"], FILES),
    ("lzma", &["open", "LZMAFile"], FILES),
    ("logging", &["FileHandler", "basicConfig", "Handler"], CONFIGURES),
    ("re", &["_compile", "template", "Scanner"], TRAMPOLINE),
    (
        "numpy",
        &["load", "loads", "loadtxt", "genfromtxt", "fromfile", "memmap", "save", "savez",
          "vectorize", "frompyfunc", "apply_along_axis", "fromfunction", "piecewise"],
        LOADERS,
    ),
    ("numpy._core", &["_ufunc_reconstruct"], TRAMPOLINE),
    ("numpy.core", &["_ufunc_reconstruct"], TRAMPOLINE),
    ("numpy._core.multiarray", &["fromfile"], FILES),
    ("numpy.core.multiarray", &["fromfile"], FILES),
    ("numpy.core", &["fromfile"], FILES),
    ("numpy.random", &["__bit_generator_ctor"], TRAMPOLINE),
    (
        "pandas",
        &["read_pickle", "to_pickle", "eval", "read_csv", "read_hdf", "read_parquet",
          "read_sql", "read_html", "read_excel", "HDFStore"],
        LOADERS,
    ),
    ("pandas.util._print_versions", &["show_versions"], COMMANDS),
    (
        "torch",
        &["load", "save", "compile"],
        LOADERS,
    ),
    ("torch.storage", &["_load_from_bytes"], LOADERS),
    (
        "torch._utils",
        &["_import_dotted_name", "_rebuild_wrapper_subclass"],
        TRAMPOLINE,
    ),
    ("torch._tensor", &["_rebuild_from_type_v2", "_rebuild_from_type"], TRAMPOLINE),
    ("dask.utils", &["apply"], TRAMPOLINE),
    ("dask.compatibility", &["apply"], TRAMPOLINE),
    ("sklearn.datasets", &["fetch_file"], NETWORK),
    ("django.utils.module_loading", &["import_string"], IMPORTS),
    ("werkzeug.utils", &["import_string"], IMPORTS),
    ("uvicorn.importer", &["import_from_string"], IMPORTS),
    ("pydantic.deprecated.parse", &["load_file", "load_str_bytes"], LOADERS),
];

/// Attributes that turn any class or function into a gadget.
#[rustfmt::skip]
const ATTRIBUTES: &[&str] = &[
    "__globals__", "__builtins__", "__code__", "__subclasses__", "__class__", "__dict__",
    "__getattribute__", "__setattr__", "__delattr__", "__reduce__", "__reduce_ex__",
    "__import__", "__call__", "__loader__", "__spec__", "__mro__", "__bases__", "__func__",
    "__self__", "__wrapped__", "__closure__", "__defaults__", "__kwdefaults__", "mro",
];

/// Why a name is a universal gadget, if it is one. `module` and `name` are
/// Python 3's; the builder asks for the Python 2 and moved spellings as well.
pub(super) fn reason(module: &str, name: &str) -> Option<&'static str> {
    let outer = name.split('.').next().unwrap_or(name);
    if name.split('.').any(|part| ATTRIBUTES.contains(&part)) {
        return Some(TRAMPOLINE);
    }
    if let Some(found) = MODULES.iter().find(|known| is_within(module, known.name)) {
        let kept = found.except.contains(&name) && module == found.name;
        return (!kept).then_some(found.reason);
    }
    let builtins = if module == "__builtin__" {
        "builtins"
    } else {
        module
    };
    NAMES
        .iter()
        .find(|(known, names, _)| *known == builtins && names.contains(&outer))
        .map(|(_, _, reason)| *reason)
        .or_else(|| through_a_module(name))
}

/// A qualified name that passes through an imported module, such as
/// `("logging", "os.system")`.
fn through_a_module(name: &str) -> Option<&'static str> {
    let (outer, rest) = name.split_once('.')?;
    if MODULES.iter().any(|known| known.name == outer) {
        return reason(outer, rest);
    }
    None
}

fn is_within(module: &str, package: &str) -> bool {
    module
        .strip_prefix(package)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
