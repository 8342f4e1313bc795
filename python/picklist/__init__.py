r"""An allowlist for pickles.

``safe_loads`` runs a pickle under a policy which says, for every importable name, what the stream
may do with it.  The module has every public name of :mod:`pickle`, so ``import picklist as pickle``
is enough to put an existing program under the default policy.

>>> import picklist
>>> picklist.safe_loads(b"\x80\x04]\x94(K\x01K\x02e.")
[1, 2]
"""

# Names that picklist shares with pickle unchanged: constants, opcodes and base classes.
from pickle import (
    ADDITEMS,
    APPEND,
    APPENDS,
    BINBYTES,
    BINBYTES8,
    BINFLOAT,
    BINGET,
    BININT,
    BININT1,
    BININT2,
    BINPERSID,
    BINPUT,
    BINSTRING,
    BINUNICODE,
    BINUNICODE8,
    BUILD,
    BYTEARRAY8,
    DEFAULT_PROTOCOL,
    DICT,
    DUP,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    EXT1,
    EXT2,
    EXT4,
    FALSE,
    FLOAT,
    FRAME,
    FROZENSET,
    GET,
    GLOBAL,
    HIGHEST_PROTOCOL,
    INST,
    INT,
    LIST,
    LONG,
    LONG1,
    LONG4,
    LONG_BINGET,
    LONG_BINPUT,
    MARK,
    MEMOIZE,
    NEWFALSE,
    NEWOBJ,
    NEWOBJ_EX,
    NEWTRUE,
    NEXT_BUFFER,
    NONE,
    OBJ,
    PERSID,
    POP,
    POP_MARK,
    PROTO,
    PUT,
    READONLY_BUFFER,
    REDUCE,
    SETITEM,
    SETITEMS,
    SHORT_BINBYTES,
    SHORT_BINSTRING,
    SHORT_BINUNICODE,
    STACK_GLOBAL,
    STOP,
    STRING,
    TRUE,
    TUPLE,
    TUPLE1,
    TUPLE2,
    TUPLE3,
    UNICODE,
    PickleBuffer,
    PickleError,
    PicklingError,
    UnpicklingError,
)

# isort: split

from typing import TYPE_CHECKING

# Writing pickles is pickle's own; a failure carries the explanation as a note.
from picklist._dumping import Pickler, dump, dumps
from picklist._picklist import (
    Allow,
    Limits,
    Policy,
    Unpickler,
    load,
    loads,
    safe_load,
    safe_loads,
)
from picklist.errors import (
    ForbiddenCallError,
    ForbiddenGlobalError,
    LimitExceededError,
    MalformedPickleError,
    NotPicklableError,
    PicklistError,
    PolicyError,
    TruncatedPickleError,
    UnsafePickleError,
)

if TYPE_CHECKING:
    from picklist._inspection import GlobalUse, Inspection, inspect
    from picklist._learning import Learned, learn, learn_report
    from picklist._preflight.check import check_picklable, explain, is_picklable
    from picklist._preflight.explained import explain_errors, guard_queue
    from picklist._preflight.report import Fix, Reason, Report

__version__ = "0.1.0"

# The preflight and the inspector's reports are imported when they are used, and not before.
_LAZY = {
    "Fix": "_preflight.report",
    "GlobalUse": "_inspection",
    "Inspection": "_inspection",
    "Learned": "_learning",
    "Reason": "_preflight.report",
    "Report": "_preflight.report",
    "check_picklable": "_preflight.check",
    "explain": "_preflight.check",
    "explain_errors": "_preflight.explained",
    "guard_queue": "_preflight.explained",
    "inspect": "_inspection",
    "is_picklable": "_preflight.check",
    "learn": "_learning",
    "learn_report": "_learning",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found: object = getattr(importlib.import_module(f"picklist.{_LAZY[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


__all__ = [
    "ADDITEMS",
    "APPEND",
    "APPENDS",
    "BINBYTES",
    "BINBYTES8",
    "BINFLOAT",
    "BINGET",
    "BININT",
    "BININT1",
    "BININT2",
    "BINPERSID",
    "BINPUT",
    "BINSTRING",
    "BINUNICODE",
    "BINUNICODE8",
    "BUILD",
    "BYTEARRAY8",
    "DEFAULT_PROTOCOL",
    "DICT",
    "DUP",
    "EMPTY_DICT",
    "EMPTY_LIST",
    "EMPTY_SET",
    "EMPTY_TUPLE",
    "EXT1",
    "EXT2",
    "EXT4",
    "FALSE",
    "FLOAT",
    "FRAME",
    "FROZENSET",
    "GET",
    "GLOBAL",
    "HIGHEST_PROTOCOL",
    "INST",
    "INT",
    "LIST",
    "LONG",
    "LONG1",
    "LONG4",
    "LONG_BINGET",
    "LONG_BINPUT",
    "MARK",
    "MEMOIZE",
    "NEWFALSE",
    "NEWOBJ",
    "NEWOBJ_EX",
    "NEWTRUE",
    "NEXT_BUFFER",
    "NONE",
    "OBJ",
    "PERSID",
    "POP",
    "POP_MARK",
    "PROTO",
    "PUT",
    "READONLY_BUFFER",
    "REDUCE",
    "SETITEM",
    "SETITEMS",
    "SHORT_BINBYTES",
    "SHORT_BINSTRING",
    "SHORT_BINUNICODE",
    "STACK_GLOBAL",
    "STOP",
    "STRING",
    "TRUE",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "UNICODE",
    "Allow",
    "Fix",
    "ForbiddenCallError",
    "ForbiddenGlobalError",
    "GlobalUse",
    "Inspection",
    "Learned",
    "LimitExceededError",
    "Limits",
    "MalformedPickleError",
    "NotPicklableError",
    "PickleBuffer",
    "PickleError",
    "Pickler",
    "PicklingError",
    "PicklistError",
    "Policy",
    "PolicyError",
    "Reason",
    "Report",
    "TruncatedPickleError",
    "Unpickler",
    "UnpicklingError",
    "UnsafePickleError",
    "__version__",
    "check_picklable",
    "dump",
    "dumps",
    "explain",
    "explain_errors",
    "guard_queue",
    "inspect",
    "is_picklable",
    "learn",
    "learn_report",
    "load",
    "loads",
    "safe_load",
    "safe_loads",
]
