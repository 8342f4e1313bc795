//! Renames applied before any lookup: the names of Python 2, and modules that
//! moved between versions of their library. Frozen data; nothing here allows
//! anything, the one lookup follows.
//!
//! The Python 2 tables are `NAME_MAPPING` and `IMPORT_MAPPING` of `CPython`'s
//! `Lib/_compat_pickle.py` as of 3.11 to 3.13 (on platforms other than Windows,
//! where one more exception exists; `Tix` was dropped in 3.13 and kept here).

use once_cell::sync::Lazy;

use super::spelling::NameMap;

/// Module and name of Python 2, module and name of Python 3. Sorted.
#[rustfmt::skip]
const NAMES: &[(&str, &str, &str, &str)] = &[
    ("UserDict", "IterableUserDict", "collections", "UserDict"),
    ("UserDict", "UserDict", "collections", "UserDict"),
    ("UserList", "UserList", "collections", "UserList"),
    ("UserString", "UserString", "collections", "UserString"),
    ("__builtin__", "basestring", "builtins", "str"),
    ("__builtin__", "intern", "sys", "intern"),
    ("__builtin__", "long", "builtins", "int"),
    ("__builtin__", "reduce", "functools", "reduce"),
    ("__builtin__", "unichr", "builtins", "chr"),
    ("__builtin__", "unicode", "builtins", "str"),
    ("__builtin__", "xrange", "builtins", "range"),
    ("_multiprocessing", "Connection", "multiprocessing.connection", "Connection"),
    ("_socket", "fromfd", "socket", "fromfd"),
    ("exceptions", "ArithmeticError", "builtins", "ArithmeticError"),
    ("exceptions", "AssertionError", "builtins", "AssertionError"),
    ("exceptions", "AttributeError", "builtins", "AttributeError"),
    ("exceptions", "BaseException", "builtins", "BaseException"),
    ("exceptions", "BufferError", "builtins", "BufferError"),
    ("exceptions", "BytesWarning", "builtins", "BytesWarning"),
    ("exceptions", "DeprecationWarning", "builtins", "DeprecationWarning"),
    ("exceptions", "EOFError", "builtins", "EOFError"),
    ("exceptions", "EnvironmentError", "builtins", "EnvironmentError"),
    ("exceptions", "Exception", "builtins", "Exception"),
    ("exceptions", "FloatingPointError", "builtins", "FloatingPointError"),
    ("exceptions", "FutureWarning", "builtins", "FutureWarning"),
    ("exceptions", "GeneratorExit", "builtins", "GeneratorExit"),
    ("exceptions", "IOError", "builtins", "IOError"),
    ("exceptions", "ImportError", "builtins", "ImportError"),
    ("exceptions", "ImportWarning", "builtins", "ImportWarning"),
    ("exceptions", "IndentationError", "builtins", "IndentationError"),
    ("exceptions", "IndexError", "builtins", "IndexError"),
    ("exceptions", "KeyError", "builtins", "KeyError"),
    ("exceptions", "KeyboardInterrupt", "builtins", "KeyboardInterrupt"),
    ("exceptions", "LookupError", "builtins", "LookupError"),
    ("exceptions", "MemoryError", "builtins", "MemoryError"),
    ("exceptions", "NameError", "builtins", "NameError"),
    ("exceptions", "NotImplementedError", "builtins", "NotImplementedError"),
    ("exceptions", "OSError", "builtins", "OSError"),
    ("exceptions", "OverflowError", "builtins", "OverflowError"),
    ("exceptions", "PendingDeprecationWarning", "builtins", "PendingDeprecationWarning"),
    ("exceptions", "ReferenceError", "builtins", "ReferenceError"),
    ("exceptions", "RuntimeError", "builtins", "RuntimeError"),
    ("exceptions", "RuntimeWarning", "builtins", "RuntimeWarning"),
    ("exceptions", "StandardError", "builtins", "Exception"),
    ("exceptions", "StopIteration", "builtins", "StopIteration"),
    ("exceptions", "SyntaxError", "builtins", "SyntaxError"),
    ("exceptions", "SyntaxWarning", "builtins", "SyntaxWarning"),
    ("exceptions", "SystemError", "builtins", "SystemError"),
    ("exceptions", "SystemExit", "builtins", "SystemExit"),
    ("exceptions", "TabError", "builtins", "TabError"),
    ("exceptions", "TypeError", "builtins", "TypeError"),
    ("exceptions", "UnboundLocalError", "builtins", "UnboundLocalError"),
    ("exceptions", "UnicodeDecodeError", "builtins", "UnicodeDecodeError"),
    ("exceptions", "UnicodeEncodeError", "builtins", "UnicodeEncodeError"),
    ("exceptions", "UnicodeError", "builtins", "UnicodeError"),
    ("exceptions", "UnicodeTranslateError", "builtins", "UnicodeTranslateError"),
    ("exceptions", "UnicodeWarning", "builtins", "UnicodeWarning"),
    ("exceptions", "UserWarning", "builtins", "UserWarning"),
    ("exceptions", "ValueError", "builtins", "ValueError"),
    ("exceptions", "Warning", "builtins", "Warning"),
    ("exceptions", "ZeroDivisionError", "builtins", "ZeroDivisionError"),
    ("itertools", "ifilter", "builtins", "filter"),
    ("itertools", "ifilterfalse", "itertools", "filterfalse"),
    ("itertools", "imap", "builtins", "map"),
    ("itertools", "izip", "builtins", "zip"),
    ("itertools", "izip_longest", "itertools", "zip_longest"),
    ("multiprocessing", "AuthenticationError", "multiprocessing.context", "AuthenticationError"),
    ("multiprocessing", "BufferTooShort", "multiprocessing.context", "BufferTooShort"),
    ("multiprocessing", "ProcessError", "multiprocessing.context", "ProcessError"),
    ("multiprocessing", "TimeoutError", "multiprocessing.context", "TimeoutError"),
    ("multiprocessing.forking", "Popen", "multiprocessing.popen_fork", "Popen"),
    ("multiprocessing.process", "Process", "multiprocessing.context", "Process"),
    ("socket", "_socketobject", "socket", "SocketType"),
    ("urllib", "ContentTooShortError", "urllib.error", "ContentTooShortError"),
    ("urllib", "getproxies", "urllib.request", "getproxies"),
    ("urllib", "pathname2url", "urllib.request", "pathname2url"),
    ("urllib", "quote", "urllib.parse", "quote"),
    ("urllib", "quote_plus", "urllib.parse", "quote_plus"),
    ("urllib", "unquote", "urllib.parse", "unquote"),
    ("urllib", "unquote_plus", "urllib.parse", "unquote_plus"),
    ("urllib", "url2pathname", "urllib.request", "url2pathname"),
    ("urllib", "urlcleanup", "urllib.request", "urlcleanup"),
    ("urllib", "urlencode", "urllib.parse", "urlencode"),
    ("urllib", "urlopen", "urllib.request", "urlopen"),
    ("urllib", "urlretrieve", "urllib.request", "urlretrieve"),
    ("urllib2", "HTTPError", "urllib.error", "HTTPError"),
    ("urllib2", "URLError", "urllib.error", "URLError"),
    ("whichdb", "whichdb", "dbm", "whichdb"),
];

/// Modules of Python 2 and of Python 3. Sorted.
#[rustfmt::skip]
const MODULES: &[(&str, &str)] = &[
    ("BaseHTTPServer", "http.server"),
    ("CGIHTTPServer", "http.server"),
    ("ConfigParser", "configparser"),
    ("Cookie", "http.cookies"),
    ("Dialog", "tkinter.dialog"),
    ("DocXMLRPCServer", "xmlrpc.server"),
    ("FileDialog", "tkinter.filedialog"),
    ("HTMLParser", "html.parser"),
    ("Queue", "queue"),
    ("ScrolledText", "tkinter.scrolledtext"),
    ("SimpleDialog", "tkinter.simpledialog"),
    ("SimpleHTTPServer", "http.server"),
    ("SimpleXMLRPCServer", "xmlrpc.server"),
    ("SocketServer", "socketserver"),
    ("StringIO", "io"),
    ("Tix", "tkinter.tix"),
    ("Tkconstants", "tkinter.constants"),
    ("Tkdnd", "tkinter.dnd"),
    ("Tkinter", "tkinter"),
    ("UserDict", "collections"),
    ("UserList", "collections"),
    ("UserString", "collections"),
    ("__builtin__", "builtins"),
    ("_abcoll", "collections.abc"),
    ("_elementtree", "xml.etree.ElementTree"),
    ("_winreg", "winreg"),
    ("anydbm", "dbm"),
    ("cPickle", "pickle"),
    ("cStringIO", "io"),
    ("commands", "subprocess"),
    ("cookielib", "http.cookiejar"),
    ("copy_reg", "copyreg"),
    ("dbhash", "dbm.bsd"),
    ("dbm", "dbm.ndbm"),
    ("dumbdbm", "dbm.dumb"),
    ("dummy_thread", "_dummy_thread"),
    ("gdbm", "dbm.gnu"),
    ("htmlentitydefs", "html.entities"),
    ("httplib", "http.client"),
    ("markupbase", "_markupbase"),
    ("repr", "reprlib"),
    ("robotparser", "urllib.robotparser"),
    ("test.test_support", "test.support"),
    ("thread", "_thread"),
    ("tkColorChooser", "tkinter.colorchooser"),
    ("tkCommonDialog", "tkinter.commondialog"),
    ("tkFileDialog", "tkinter.filedialog"),
    ("tkFont", "tkinter.font"),
    ("tkMessageBox", "tkinter.messagebox"),
    ("tkSimpleDialog", "tkinter.simpledialog"),
    ("ttk", "tkinter.ttk"),
    ("urllib2", "urllib.request"),
    ("urlparse", "urllib.parse"),
    ("whichdb", "dbm"),
    ("xmlrpclib", "xmlrpc.client"),
];

/// Modules that moved as they were: the older or transient name, the name that
/// the presets use. Sorted.
const MOVED: &[(&str, &str)] = &[
    ("numpy.core._internal", "numpy._core._internal"),
    (
        "numpy.core._multiarray_umath",
        "numpy._core._multiarray_umath",
    ),
    ("numpy.core.multiarray", "numpy._core.multiarray"),
    ("numpy.core.numeric", "numpy._core.numeric"),
    ("numpy.core.records", "numpy._core.records"),
    // 3.13 alone; 3.14 is back to `pathlib`.
    ("pathlib._local", "pathlib"),
];

/// What is known of one module of Python 2.
#[derive(Default)]
struct Old {
    module: Option<&'static str>,
    names: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

/// Both Python 2 tables by module: one probe for most names.
static PYTHON2: Lazy<NameMap<&str, Old>> = Lazy::new(|| {
    let mut table: NameMap<&str, Old> = NameMap::default();
    for (old, new) in MODULES {
        table.entry(old).or_default().module = Some(new);
    }
    for names in NAMES.chunk_by(|a, b| a.0 == b.0) {
        if let Some((module, ..)) = names.first() {
            table.entry(module).or_default().names = names;
        }
    }
    table
});

static MOVED_MODULES: Lazy<NameMap<&str, &str>> = Lazy::new(|| MOVED.iter().copied().collect());

/// The Python 3 name of a Python 2 name, as `CPython` does it below protocol 3:
/// the exact pair first, else the module.
pub(super) fn python2<'a>(module: &'a str, name: &'a str) -> (&'a str, &'a str) {
    let Some(old) = PYTHON2.get(module) else {
        return (module, name);
    };
    let exact = old
        .names
        .binary_search_by(|(_, known, ..)| (*known).cmp(name));
    if let Some((_, _, module, name)) = exact.ok().and_then(|at| old.names.get(at)) {
        return (module, name);
    }
    (old.module.unwrap_or(module), name)
}

/// The name under which a moved module's names are looked up.
pub(super) fn moved<'a>(module: &'a str, name: &'a str) -> (&'a str, &'a str) {
    (MOVED_MODULES.get(module).copied().unwrap_or(module), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_tables_are_sorted_and_complete() {
        assert!(NAMES.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        assert!(MODULES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(MOVED.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!((NAMES.len(), MODULES.len()), (88, 55));
    }

    #[test]
    fn test_python2_names() {
        for (old, new) in [
            (("__builtin__", "xrange"), ("builtins", "range")),
            (("__builtin__", "long"), ("builtins", "int")),
            (("__builtin__", "unicode"), ("builtins", "str")),
            (("__builtin__", "set"), ("builtins", "set")),
            (("__builtin__", "reduce"), ("functools", "reduce")),
            (
                ("copy_reg", "_reconstructor"),
                ("copyreg", "_reconstructor"),
            ),
            (
                ("UserDict", "IterableUserDict"),
                ("collections", "UserDict"),
            ),
            (("exceptions", "StandardError"), ("builtins", "Exception")),
            (("exceptions", "NoSuchError"), ("exceptions", "NoSuchError")),
            (("socket", "_socketobject"), ("socket", "SocketType")),
            (("socket", "socket"), ("socket", "socket")),
            (("urllib", "quote"), ("urllib.parse", "quote")),
            (("urllib", "other"), ("urllib", "other")),
            (("cPickle", "loads"), ("pickle", "loads")),
            (("commands", "getoutput"), ("subprocess", "getoutput")),
            (
                ("multiprocessing", "TimeoutError"),
                ("multiprocessing.context", "TimeoutError"),
            ),
            (("datetime", "date"), ("datetime", "date")),
            (("__builtin__ ", "set"), ("__builtin__ ", "set")),
            (("", ""), ("", "")),
        ] {
            assert_eq!(python2(old.0, old.1), new, "{old:?}");
        }
    }

    #[test]
    fn test_moved_modules_move_whole_and_exactly() {
        assert_eq!(moved("pathlib._local", "Path"), ("pathlib", "Path"));
        assert_eq!(
            moved("numpy.core.multiarray", "scalar"),
            ("numpy._core.multiarray", "scalar")
        );
        assert_eq!(
            moved("numpy.core.multiarray.x", "y").0,
            "numpy.core.multiarray.x"
        );
        assert_eq!(moved("numpy.core", "x").0, "numpy.core");
    }
}
