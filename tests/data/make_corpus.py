#!/usr/bin/env python
# ruff: noqa: C402, E501, ISC004, RUF100, UP004, UP009, UP010, UP020, UP025, UP031
# mypy: ignore-errors
"""Add to the corpus of real pickles what the interpreter that runs this script writes.

Usage: ``python make_corpus.py corpus.jsonl``, under Python 2.7 and then every 3.x in turn.  Each line is one
pickle as JSON: name, the expression that made it (evaluated again by the tests as the expected
value), protocol, the Python versions that wrote exactly these bytes, base64.  Optional keys say what a reader
needs: ``encoding`` (Python 2's 8-bit strings), ``base`` (presets besides "std"),
``allow`` (names outside the presets), ``identity`` (compared by structure, not by equality).
"""

from __future__ import print_function, unicode_literals

import base64
import json
import os
import pickle
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
sys.dont_write_bytecode = True

PY2 = sys.version_info[0] == 2
SAMPLES = "picklist_samples"
TYPED = "picklist_samples_typed"

# (name, expression, needs): `since` is the first Python that can write it, `py2` what 2.7 evaluates instead.
PLAIN = [
    ("none", "None", {}),
    ("true", "True", {}),
    ("false", "False", {}),
    (
        "ints",
        "[0, 1, -1, 255, 256, -128, 65535, 65536, 2**31 - 1, -2**31, 2**31, 2**63, -2**63]",
        {},
    ),
    ("big ints", "[2**100, -2**100, 10**400, -(2**2039)]", {}),
    ("huge int", "1 << 2100", {}),
    ("floats", "[0.0, -0.0, 1.5, -1e300, 5e-324, float('inf'), float('-inf')]", {}),
    ("nan", "float('nan')", {"identity": True}),
    (
        "text",
        "[u'', u'a', u'abc', u'\\xe9', u'\\u20ac', u'\\U0001f600', u'back\\\\slash', u'line\\nbreak', u'\\x00']",
        {},
    ),
    ("long text", "u'x' * 300", {}),
    ("surrogate", "u'\\ud800'", {}),
    ("bytes", "[b'', b'a', b'\\x00\\xff\\n', bytes(bytearray(range(256)))]", {"encoding": "bytes"}),
    ("long bytes", "b'x' * 300", {"encoding": "bytes"}),
    ("native text", "['plain', 'quo\\'te', 'dou\"ble', 'tab\\t']", {}),
    ("tuples", "[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))]", {}),
    ("lists", "[[], [1], [1, 2], [[1], [[2]]]]", {}),
    ("long list", "list(range(1002))", {}),
    ("dicts", "[{}, {u'a': 1}, {1: {2: {3: None}}}, {(1, 2): [3]}]", {}),
    ("sets", "[set(), {1}, {u'a'}, {(1, 2)}]", {}),
    ("frozensets", "[frozenset(), frozenset([1]), frozenset([frozenset([2])])]", {}),
    ("bytearrays", "[bytearray(), bytearray(b'abc'), bytearray(range(256))]", {}),
    ("complex", "[0j, 1 + 2j, complex(-0.0, float('inf'))]", {}),
    ("cyclic list", SAMPLES + ".cyclic_list()", {"identity": True}),
    ("cyclic tuple", SAMPLES + ".cyclic_tuple()", {"identity": True}),
    ("shared", SAMPLES + ".shared()", {"identity": True}),
]

STD = [
    (
        "range",
        "[range(0), range(3), range(1, 10, 3), range(5, -5, -2)]",
        {"py2": "[xrange(0), xrange(3), xrange(1, 10, 3), xrange(5, -5, -2)]"},
    ),
    (
        "slice",
        "[slice(1), slice(1, 2), slice(None, None, -1), slice(u'a', 2.5)]",
        {"since": (3, 0)},
    ),
    ("ellipsis", "[Ellipsis, NotImplemented]", {"since": (3, 0)}),
    (
        "types",
        "[int, float, str, list, dict, set, bytes, bool, tuple, complex, object, frozenset, bytearray]",
        {
            "py2": "[int, float, unicode, list, dict, set, str, bool, tuple, complex, object, frozenset, bytearray]",
            "skip": (2, 7),
        },
    ),
    (
        "types of python 2",
        "[int, float, str, list, dict, set, bool, tuple, complex, frozenset, bytearray]",
        {
            "py2": "[long, float, unicode, list, dict, set, bool, tuple, complex, frozenset, bytearray]",
            "only": (2, 7),
        },
    ),
    ("none type", "type(None)", {"since": (3, 4)}),
    (
        "date",
        "[datetime.date(1, 1, 1), datetime.date(2020, 2, 29), datetime.date(9999, 12, 31)]",
        {"encoding": "latin1"},
    ),
    ("time", "[datetime.time(), datetime.time(23, 59, 59, 999999)]", {"encoding": "latin1"}),
    (
        "datetime",
        "[datetime.datetime(1, 1, 1), datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)]",
        {"encoding": "latin1"},
    ),
    (
        "fold",
        "[datetime.datetime(2024, 10, 27, 2, 30, fold=1), datetime.time(2, 30, fold=1)]",
        {"since": (3, 6)},
    ),
    (
        "timedelta",
        "[datetime.timedelta(0), datetime.timedelta(-1, 1, 1), datetime.timedelta.max, datetime.timedelta.min]",
        {},
    ),
    (
        "timezone",
        "[datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=2)), datetime.timezone(datetime.timedelta(hours=-5), u'EST')]",
        {"since": (3, 2)},
    ),
    (
        "aware",
        "[datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))]",
        {"since": (3, 2)},
    ),
    (
        "decimal",
        "[decimal.Decimal(u'0'), decimal.Decimal(u'-1.50'), decimal.Decimal(u'1E+400'), decimal.Decimal(u'Infinity')]",
        {},
    ),
    ("decimal nan", "decimal.Decimal(u'NaN')", {"identity": True}),
    (
        "fraction",
        "[fractions.Fraction(0), fractions.Fraction(1, 3), fractions.Fraction(-7, 2)]",
        {},
    ),
    (
        "uuid",
        "[uuid.UUID(int=0), uuid.UUID(u'12345678-1234-5678-1234-567812345678')]",
        {"py2": "[uuid.UUID(int=0L), uuid.UUID('12345678-1234-5678-1234-567812345678')]"},
    ),
    ("uuid safe", "uuid.UUID(int=5, is_safe=uuid.SafeUUID.safe)", {"since": (3, 7)}),
    (
        "ordereddict",
        "[collections.OrderedDict(), collections.OrderedDict([(u'b', 1), (u'a', 2)])]",
        {},
    ),
    (
        "deque",
        "[collections.deque(), collections.deque([1, 2]), collections.deque([1, 2, 3], 2)]",
        {},
    ),
    (
        "defaultdict",
        "[collections.defaultdict(list, {u'a': [1]}), collections.defaultdict(None, {1: 2}), collections.defaultdict(int), collections.defaultdict(set)]",
        {},
    ),
    ("counter", "[collections.Counter(), collections.Counter({u'a': 3, u'b': 1})]", {}),
    (
        "ipaddress",
        "[ipaddress.ip_address(u'127.0.0.1'), ipaddress.ip_address(u'::1'), ipaddress.ip_network(u'10.0.0.0/8'), ipaddress.ip_network(u'2001:db8::/32'), "
        "ipaddress.ip_interface(u'10.1.2.3/24'), ipaddress.ip_interface(u'2001:db8::1/64')]",
        {"since": (3, 3)},
    ),
    (
        "pure paths",
        "[pathlib.PurePosixPath(u'/a/b'), pathlib.PurePosixPath(u'.'), pathlib.PurePosixPath(u'a'), pathlib.PureWindowsPath(u'C:/x/y')]",
        {"since": (3, 4)},
    ),
    (
        "array",
        "[array.array('b', [1, -2]), array.array('H', [1, 65535]), array.array('q', [2**62]), array.array('d', [1.5]), array.array('f'), array.array('i', [-5])]",
        {"since": (3, 0)},
    ),
    (
        "array of python 2",
        "[array.array('b', [1, -2]), array.array('H', [1, 65535]), array.array('d', [1.5]), array.array('f'), array.array('i', [-5])]",
        {"only": (2, 7)},
    ),
    ("unicode array", "array.array('u', u'ab\\u20ac')", {}),
    ("namespace", "types.SimpleNamespace(a=1, b=[2])", {"since": (3, 3)}),
    (
        "mixed",
        "{u'when': datetime.datetime(2024, 1, 2, 3, 4, 5), u'ids': {uuid.UUID(int=7)}, u'd': decimal.Decimal(u'1.5'), u'od': collections.OrderedDict(a=1)}",
        {"encoding": "latin1"},
    ),
]

OPT_IN = [
    (
        "paths",
        "[pathlib.PosixPath(u'/a/b'), pathlib.Path(u'x')]",
        {"since": (3, 4), "base": ["paths"]},
    ),
    (
        "zoneinfo",
        "[zoneinfo.ZoneInfo(u'Europe/Berlin'), datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo(u'UTC'))]",
        {"since": (3, 9), "base": ["zoneinfo"]},
    ),
    (
        "exceptions",
        "[ValueError(u'x'), KeyError(1), Exception(), ZeroDivisionError(u'a', 2)]",
        {"base": ["exceptions"], "identity": True},
    ),
    (
        "std enums",
        "[http.HTTPStatus.NOT_FOUND, socket.AddressFamily.AF_INET, signal.Signals.SIGINT]",
        {"since": (3, 5), "base": ["enums"]},
    ),
    (
        "regex flags",
        "[re.RegexFlag.IGNORECASE, re.RegexFlag.IGNORECASE | re.RegexFlag.DOTALL]",
        {"since": (3, 6), "base": ["enums"]},
    ),
    ("object", "object()", {"base": ["std-extra"], "identity": True}),
    (
        "chainmap",
        "collections.ChainMap({u'a': 1}, {u'b': 2})",
        {"since": (3, 3), "base": ["std-extra"]},
    ),
    (
        "userdict",
        "collections.UserDict({u'a': 1})",
        {"since": (3, 0), "base": ["std-extra"]},
    ),
    (
        "struct_time",
        "time.gmtime(0)",
        {"base": ["std-extra"], "identity": True, "since": (3, 0)},
    ),
]

USER = [
    ("plain class", SAMPLES + ".Plain(3, u'z')", ["Plain"], {}),
    ("cyclic instance", SAMPLES + ".cyclic_plain()", ["Plain"], {"identity": True}),
    ("old-style class", SAMPLES + ".OldStyle(3)", ["OldStyle"], {}),
    ("slots", SAMPLES + ".Slots(3, u'z')", ["Slots"], {"skip_protocols": (0, 1)}),
    (
        "slots and dict",
        SAMPLES + ".SlotsAndDict(3, u'z', 2.5)",
        ["SlotsAndDict"],
        {"skip_protocols": (0, 1)},
    ),
    ("namedtuple", SAMPLES + ".Point(1, u'y')", ["Point"], {}),
    ("nested class", SAMPLES + ".Outer.Inner(5)", ["Outer.Inner"], {"since": (3, 4)}),
    ("list subclass", SAMPLES + ".make_list()", ["MyList"], {"identity": True}),
    ("dict subclass", SAMPLES + ".make_dict()", ["MyDict"], {"identity": True}),
    ("set subclass", SAMPLES + ".make_set()", ["MySet"], {"identity": True}),
    ("int subclass", SAMPLES + ".make_int()", ["MyInt"], {"identity": True}),
    ("str subclass", SAMPLES + ".MyStr(u'abc')", ["MyStr"], {}),
    ("tuple subclass", SAMPLES + ".MyTuple((1, 2))", ["MyTuple"], {}),
    ("float subclass", SAMPLES + ".MyFloat(1.5)", ["MyFloat"], {}),
    ("setstate", SAMPLES + ".WithSetState(8, u'q')", ["WithSetState"], {}),
    ("reduce to itself", SAMPLES + ".ReducesToItself(1, [2])", ["ReducesToItself"], {}),
    ("reduce to function", SAMPLES + ".ReducesToFunction(1, [2])", ["rebuild"], {}),
    ("getnewargs", SAMPLES + ".NewArgs(9)", ["NewArgs"], {"skip_protocols": (0, 1)}),
    (
        "getnewargs_ex",
        SAMPLES + ".NewArgsEx(9, y=u'k')",
        ["NewArgsEx"],
        {"skip_protocols": (0, 1), "since": (3, 6)},
    ),
    (
        "enum",
        "[" + SAMPLES + ".Color.RED, " + SAMPLES + ".Color.GREEN, " + SAMPLES + ".Level.HIGH]",
        ["Color", "Level"],
        {"since": (3, 4)},
    ),
    (
        "flag",
        "["
        + SAMPLES
        + ".Perm.R, "
        + SAMPLES
        + ".Perm.R | "
        + SAMPLES
        + ".Perm.X, "
        + SAMPLES
        + ".IntPerm(6)]",
        ["Perm", "IntPerm"],
        {"since": (3, 6)},
    ),
    ("dataclass", TYPED + ".Data(1, u'd', [2])", ["Data"], {"since": (3, 7)}),
    ("frozen dataclass", TYPED + ".Frozen(1, u'd')", ["Frozen"], {"since": (3, 7)}),
    (
        "slots dataclass",
        TYPED + ".SlotsData(1, u'd')",
        ["SlotsData"],
        {"since": (3, 10), "skip_protocols": (0, 1)},
    ),
    (
        "frozen slots dataclass",
        TYPED + ".FrozenSlots(1, u'd')",
        ["FrozenSlots"],
        {"since": (3, 10), "skip_protocols": (0, 1)},
    ),
    (
        "nested dataclass",
        TYPED + ".Nested(" + TYPED + ".Data(), " + TYPED + ".Frozen())",
        ["Nested", "Data", "Frozen"],
        {"since": (3, 7)},
    ),
    ("nested class of dataclass", TYPED + ".Holder.Deep()", ["Holder.Deep"], {"since": (3, 7)}),
]


def namespace():
    """Import what the expressions mention, as far as this interpreter has it."""
    found = {}
    for name in (
        "array",
        "collections",
        "datetime",
        "decimal",
        "fractions",
        "http",
        "ipaddress",
        "pathlib",
        "re",
        "signal",
        "socket",
        "time",
        "types",
        "uuid",
        "zoneinfo",
        SAMPLES,
        TYPED,
    ):
        try:
            found[name] = __import__(name)
        except (ImportError, SyntaxError):
            print("no %s here" % name, file=sys.stderr)
    return found


def cases():
    """Yield name, expression and needs of everything, user classes with their module in front."""
    for name, expr, needs in PLAIN:
        yield name, expr, needs
    for name, expr, needs in STD + OPT_IN:
        yield name, expr, needs
    for name, expr, allowed, needs in USER:
        module = TYPED if TYPED in expr else SAMPLES
        yield (
            name,
            expr,
            dict(needs, allow=[module + (":" if "." in cls else ".") + cls for cls in allowed]),
        )


def applies(needs):
    """Tell whether this interpreter writes the case."""
    here = sys.version_info[:2]
    return (
        here >= needs.get("since", (0,))
        and needs.get("only", here) == here
        and needs.get("skip") != here
    )


def writers():
    """Return the picklers of this interpreter that may write different bytes."""
    if not PY2:
        return [pickle.dumps, pickle._dumps]
    import cPickle

    return [cPickle.dumps, pickle.dumps]


def needed(name, needs):
    """Return the optional keys of a row."""
    kept = dict((key, needs[key]) for key in ("base", "allow", "identity") if needs.get(key))
    if PY2 and "encoding" in needs:
        kept["encoding"] = needs["encoding"]
    elif PY2 and name in ("unicode array",):
        kept["encoding"] = "latin1"
    return kept


def rows(found):
    """Yield every row that this interpreter writes, but for the list of versions."""
    for name, expr, needs in cases():
        if not applies(needs):
            continue
        source = needs.get("py2", expr) if PY2 else expr
        value = eval(compile(source, name, "eval", 0, True), dict(found))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            if protocol in needs.get("skip_protocols", ()):
                continue
            for dumps in writers():
                b64 = base64.b64encode(dumps(value, protocol)).decode("ascii")
                yield dict(
                    needed(name, needs), name=name, expected=expr, protocol=protocol, b64=b64
                )


def main(path):
    """Merge this interpreter's pickles into the file."""
    version = "%d.%d" % sys.version_info[:2]
    merged = []
    if os.path.exists(path):
        with open(path, encoding="ascii") as lines:
            merged = [json.loads(line) for line in lines]
    known = dict(((row["name"], row["protocol"], row["b64"]), row) for row in merged)
    for row in rows(namespace()):
        key = (row["name"], row["protocol"], row["b64"])
        if key not in known:
            row["pythons"] = []
            merged.append(row)
            known[key] = row
        if version not in known[key]["pythons"]:
            known[key]["pythons"].append(version)
    with open(path, "wb") as out:
        for row in merged:
            out.write(
                json.dumps(row, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"
            )
    print("%s: %d pickles after Python %s" % (path, len(merged), version))


if __name__ == "__main__":
    main(sys.argv[1])
