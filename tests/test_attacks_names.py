"""Attacks on names (THREATS A): reaching a callable that the policy does not hold.

The class of weakness is CWE-502, deserialization of untrusted data; CPython's own advice is
"Restricting Globals" in the documentation of ``pickle``.  Every test takes one way around a check
of names, proves where it can that the way works against a plain allowlist, and asks for a refusal
that names what, where and what to do, with nothing run, imported or changed.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import picklist
import picklist_canary
import picklist_samples as samples
from assembler import (
    BINBYTES,
    BINUNICODE,
    EMPTY_TUPLE,
    EXT1,
    EXT2,
    EXT4,
    GLOBAL,
    MARK,
    NEWOBJ,
    NONE,
    POP,
    PROTO,
    REDUCE,
    SHORT_BINUNICODE,
    STACK_GLOBAL,
    TUPLE,
    TUPLE1,
    Raw,
    asm,
    disassemble,
    offsets,
)
from payloads import CANARY, calls, mention, mentioned_only, params


def lines(name: str) -> list[str]:
    """Return the dotted names of a file in tests/data, one a line."""
    return (Path(__file__).parent / "data" / name).read_text("ascii").split()


# Python 2 spells these differently; a load with fix_imports (the default) renames them first.
PYTHON2 = ["__builtin__.eval", "__builtin__.apply", "__builtin__.getattr", "__builtin__.execfile"]
PYTHON2 += ["copy_reg.__newobj__", "copy_reg.add_extension", "__builtin__.reduce", "os.popen2"]
PYTHON2 += ["itertools.imap", "urllib.urlopen", "commands.getoutput", "cPickle.loads", "new.code"]

DANGEROUS = lines("dangerous.txt")


@pytest.mark.parametrize("data", params(calls(*CANARY, BINUNICODE("id"))))
def test_a_name_outside_the_policy_is_refused(data: bytes, nothing_ran: Any) -> None:
    """Every spelling of a mention, and every opcode that calls (CWE-502)."""
    error = nothing_ran.refused(data, "picklist_canary.fire", "byte")
    assert isinstance(error, picklist.ForbiddenGlobalError)
    assert (error.module, error.name) == CANARY
    assert error.blocked == (CANARY,)
    assert error.opcode in ("GLOBAL", "STACK_GLOBAL", "INST")
    assert error.offset in offsets(data, error.opcode)


@pytest.mark.parametrize("data", params(calls(*CANARY, BINUNICODE("id"))))
def test_the_payloads_work_against_plain_pickle(data: bytes) -> None:
    """The same pickles call the canary under ``pickle.loads``: the tests above prove something."""
    picklist_canary.reset()
    by_new = {"NEWOBJ", "NEWOBJ_EX"} & {item.name for item in disassemble(data)}
    with pytest.raises((TypeError, pickle.UnpicklingError)) if by_new else nullcontext():
        pickle.loads(data)  # a function has no __new__
    assert [call[0] for call in picklist_canary.CALLS] == ([] if by_new else ["fire"])
    picklist_canary.reset()


@pytest.mark.parametrize("data", params(mentioned_only(*CANARY)))
def test_mentioning_is_refused_as_well(data: bytes, nothing_ran: Any) -> None:
    """A name that is only mentioned, popped or built upon is an import, and refused."""
    nothing_ran.refused(data, "picklist_canary.fire")


@pytest.mark.parametrize("path", DANGEROUS)
@pytest.mark.parametrize("base", ["plain", "std", ["std", "enums", "exceptions", "paths"]])
def test_no_preset_holds_a_gadget(path: str, base: Any, nothing_ran: Any) -> None:
    """Callables of public exploits and of scanner bypasses, with an argument they would refuse.

    The list follows the class of attack of CVE-2025-1716 (a scanner's blocklist without
    ``pip.main``) and its likes: there is always one more importable callable.
    """
    module, _, name = path.rpartition(".")
    data = asm(PROTO(4), *mention(module, name), BINUNICODE("x"), TUPLE1, REDUCE, frame=True)
    error = nothing_ran.refused(data, path, policy=picklist.Policy(base=base))
    assert isinstance(error, picklist.UnsafePickleError)


class TestA1DottedNames:
    """A dotted qualname in GLOBAL or STACK_GLOBAL walks attributes of something allowed.

    Protocol 4 (PEP 3154) lets ``Outer.Inner`` be a name; a check of the module alone, or of the
    first part of the name, then admits every attribute of an allowed object.
    """

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("collections", "abc.sys.modules"),
            ("collections", "OrderedDict.fromkeys"),
            ("collections", "OrderedDict.__class__"),
            ("collections", "OrderedDict.__init__.__globals__"),
            ("datetime", "sys.modules"),
            ("datetime", "datetime.fromtimestamp"),
            ("datetime.datetime", "fromtimestamp"),
            ("uuid", "os.system"),
            ("uuid", "UUID.__init__.__globals__"),
            ("decimal", "Decimal.from_float"),
            ("logging", "os.system"),
            ("builtins", "bytearray.fromhex"),
            ("builtins", "str.format"),
            ("builtins", "complex.__class__.__base__.__subclasses__"),
        ],
    )
    @pytest.mark.parametrize("opcode", ["GLOBAL", "STACK_GLOBAL", "GLOBAL-p0"])
    def test_attributes_of_std_are_not_walked(
        self, module: str, name: str, opcode: str, nothing_ran: Any
    ) -> None:
        spelled = mention(module, name) if opcode == "STACK_GLOBAL" else [GLOBAL(module, name)]
        head = [] if opcode == "GLOBAL-p0" else [PROTO(4)]
        nothing_ran.refused(asm(*head, *spelled, EMPTY_TUPLE, REDUCE), module, name)

    @pytest.mark.parametrize("name", ["Box.method", "Box.limit", "Box.__class__", "Box.", ".Box"])
    def test_attributes_of_allowed_classes_are_not_walked(
        self, name: str, nothing_ran: Any
    ) -> None:
        data = asm(PROTO(4), *mention("picklist_canary", name))
        nothing_ran.refused(data, name, allow=[picklist_canary.Box])

    def test_pairs_are_not_joined(self, nothing_ran: Any) -> None:
        """("a", "b.c") and ("a.b", "c") are two names."""
        allow = [samples.Outer.Inner]
        nothing_ran.refused(asm(*mention("picklist_samples.Outer", "Inner")), allow=allow)
        nothing_ran.refused(asm(*mention("picklist_samples", "Outer")), allow=allow)
        nothing_ran.refused(asm(*mention("picklist_samples", "Inner")), allow=allow)

    def test_the_way_works_against_plain_pickle(self) -> None:
        """``pickle.loads`` walks."""
        assert pickle.loads(asm(PROTO(4), *mention("picklist_canary", "Box.limit"))) == 10


class TestA2Wildcards:
    """Prefixes and wildcards admit whatever a module has imported itself; the policy has none."""

    @pytest.mark.parametrize(
        "entry",
        ["picklist_canary.*", "picklist_canary.", "*", "*.*", ".fire", "", "picklist_canary.f?re"],
    )
    def test_a_policy_with_a_wildcard_cannot_be_built(self, entry: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            picklist.Policy(allow=[entry])

    def test_a_module_is_no_entry(self) -> None:
        with pytest.raises((ValueError, TypeError)):
            picklist.Policy(allow=[picklist_canary])

    def test_from_module_lists_only_what_the_module_defines(self) -> None:
        """``collections`` is imported by the samples, and not admitted with them."""
        policy = picklist.Policy.from_module(samples)
        assert "picklist_samples.Plain" in policy
        assert "picklist_samples.collections" not in policy
        assert "picklist_samples.OrderedDict" not in policy


@pytest.mark.parametrize("name", ["Plain", "Point", "Slots", "MyList", "MyInt", "Color", "Perm"])
def test_a3_looking_harmless_is_not_enough(name: str, nothing_ran: Any) -> None:
    """Nothing is admitted because it is a class, a namedtuple, an enum or a list subclass."""
    data = asm(PROTO(4), *mention("picklist_samples", name), EMPTY_TUPLE, NEWOBJ)
    nothing_ran.refused(data, f"picklist_samples.{name}")


class TestA4Renames:
    """Python 2's names are renamed first and judged second; the protocol cannot be switched."""

    @pytest.mark.parametrize("path", PYTHON2)
    @pytest.mark.parametrize("fix_imports", [True, False])
    def test_python_2_names(self, path: str, fix_imports: bool, nothing_ran: Any) -> None:
        module, _, name = path.rpartition(".")
        for data in (
            asm(GLOBAL(module, name), NONE, TUPLE1, REDUCE),
            asm(MARK, GLOBAL(module, name), b"o"),
        ):
            nothing_ran.refused(data, fix_imports=fix_imports)

    @pytest.mark.parametrize("first", [4, 5])
    @pytest.mark.parametrize("later", [0, 1, 2, 3])
    def test_the_protocol_cannot_be_lowered(self, first: int, later: int, nothing_ran: Any) -> None:
        """PROTO in mid-stream would switch renaming on after a check without it."""
        data = asm(PROTO(first), NONE, POP, PROTO(later), GLOBAL("__builtin__", "set"))
        nothing_ran.refused(data, "PROTO", at=4)

    @pytest.mark.parametrize("protocol", range(6))
    def test_the_protocol_is_said_first_or_not_at_all(
        self, protocol: int, nothing_ran: Any
    ) -> None:
        nothing_ran.refused(asm(NONE, POP, PROTO(protocol), NONE), "PROTO", at=2)
        nothing_ran.refused(asm(PROTO(protocol), PROTO(protocol), NONE), "PROTO", at=2)

    def test_renaming_does_not_reach_protocol_3(self, nothing_ran: Any) -> None:
        """As in pickle, Python 2's names mean themselves from protocol 3 on."""
        nothing_ran.refused(asm(PROTO(3), GLOBAL("__builtin__", "set"), EMPTY_TUPLE, REDUCE))
        assert (
            picklist.safe_loads(asm(PROTO(2), GLOBAL("__builtin__", "set"), EMPTY_TUPLE, REDUCE))
            == set()
        )

    def test_the_interpreters_table_is_not_read(self, monkeypatch: Any, nothing_ran: Any) -> None:
        """``_compat_pickle`` can be changed by any code in the process; ours cannot."""
        import _compat_pickle

        monkeypatch.setitem(_compat_pickle.NAME_MAPPING, ("__builtin__", "set"), CANARY)
        monkeypatch.setitem(_compat_pickle.IMPORT_MAPPING, "datetime", "picklist_canary")
        data = asm(PROTO(2), GLOBAL("__builtin__", "set"), EMPTY_TUPLE, REDUCE)
        with nothing_ran.guard():
            assert picklist.safe_loads(data) == set()


class TestA5Extensions:
    """EXT codes: a warm ``copyreg`` cache answers without ``find_class`` being asked."""

    CODES = params({"EXT1": EXT1(0xF0), "EXT2": EXT2(0xF0), "EXT4": EXT4(0xF0)})

    @pytest.fixture(autouse=True)
    def registered(self) -> Any:
        """Register the canary under code 240 and warm the cache."""
        copyreg.add_extension(*CANARY, 0xF0)
        pickle.loads(asm(EXT1(0xF0)))
        yield
        copyreg.remove_extension(*CANARY, 0xF0)
        copyreg.clear_extension_cache()

    @pytest.mark.parametrize("code", CODES)
    def test_codes_are_refused(self, code: Any, nothing_ran: Any, naive: Any) -> None:
        data = asm(PROTO(2), code, EMPTY_TUPLE, REDUCE)
        assert naive(data) == "fired"  # nothing allowed, and it runs
        nothing_ran.refused(data, "extension", "240", at=2)

    @pytest.mark.parametrize("code", CODES)
    def test_a_mapped_code_is_judged_like_any_name(self, code: Any, nothing_ran: Any) -> None:
        data = asm(PROTO(2), code, EMPTY_TUPLE, REDUCE)
        policy = picklist.Policy(ext={0xF0: CANARY})
        nothing_ran.refused(data, "picklist_canary.fire", policy=policy)

    @pytest.mark.parametrize("code", CODES)
    def test_a_mapped_code_of_an_allowed_class_loads(self, code: Any) -> None:
        policy = picklist.Policy([samples.Plain], ext={0xF0: ("picklist_samples", "Plain")})
        value = picklist.safe_loads(asm(PROTO(2), code, EMPTY_TUPLE, NEWOBJ), policy=policy)
        assert type(value) is samples.Plain

    @pytest.mark.parametrize(
        "code", [EXT1(0), EXT2(0), EXT4(0), EXT4(Raw(b"\xff" * 4)), EXT4(2**31 - 1)]
    )
    def test_codes_out_of_range(self, code: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(2), code), remedy=False)


class TestA6Imports:
    """Importing a module runs its code, so a name that only the stream gave is never imported."""

    @pytest.mark.parametrize(
        "module", ["picklist_trap", "picklist_trap.sub", "this", "antigravity"]
    )
    def test_nothing_is_imported(self, module: str, nothing_ran: Any) -> None:
        sys.modules.pop(module, None)
        for data in mentioned_only(module, "Thing").values():
            nothing_ran.refused(data, module)
        assert module not in sys.modules

    def test_the_policys_modules_are_not_imported_either(self, nothing_ran: Any) -> None:
        """An allowed name that the refused stream mentions as well stays unimported."""
        sys.modules.pop("picklist_trap", None)
        data = asm(*mention("picklist_trap", "Thing"), POP, *mention(*CANARY))
        nothing_ran.refused(
            data, "picklist_canary.fire", policy=picklist.Policy(["picklist_trap.Thing"])
        )
        assert "picklist_trap" not in sys.modules


class TestA7Lookalikes:
    """Names are compared byte for byte, and operands must be exact strings."""

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("dаtetime", "date"),  # noqa: RUF001  (a Cyrillic a)
            ("ｄatetime", "date"),  # noqa: RUF001  (full width: NFKC makes it a d)
            ("datetime", "dａte"),  # noqa: RUF001
            ("datetime\r", "date"),
            ("datetime", "date\r"),
            ("datetime ", "date"),
            (" datetime", "date"),
            ("datetime", "date "),
            ("datetime\0", "date"),
            ("datetime", "date\0.x"),
            ("Datetime", "date"),
            ("datetime.", "date"),
            ("", "datetime.date"),
            ("datetime", ""),
            ("datetime", "date\ud800"),
            ("datetime", "date\u200b"),
            ("ﬁle", "date"),
            ("builtins", "ſet"),  # noqa: RUF001
        ],
    )
    @pytest.mark.parametrize("opcode", ["GLOBAL", "STACK_GLOBAL"])
    def test_lookalikes(self, module: str, name: str, opcode: str, nothing_ran: Any) -> None:
        spelled = mention(module, name) if opcode == "STACK_GLOBAL" else [GLOBAL(module, name)]
        nothing_ran.refused(asm(PROTO(4), *spelled, EMPTY_TUPLE, REDUCE), remedy=False)

    @pytest.mark.parametrize("operand", [NONE, BINBYTES(b"datetime"), EMPTY_TUPLE, b"K\x01"])
    @pytest.mark.parametrize("first", [True, False])
    def test_operands_of_stack_global_are_strings(
        self, operand: Any, first: bool, nothing_ran: Any
    ) -> None:
        good = SHORT_BINUNICODE("datetime")
        pair = (operand, good) if first else (good, operand)
        nothing_ran.refused(asm(PROTO(4), *pair, STACK_GLOBAL), "STACK_GLOBAL", remedy=False)

    def test_a_str_subclass_is_no_name(self, nothing_ran: Any) -> None:
        """Its ``__eq__`` and ``__hash__`` could say anything."""
        mine = [*mention("picklist_samples", "MyStr"), MARK, BINUNICODE("datetime"), TUPLE, NEWOBJ]
        data = asm(PROTO(4), *mine, SHORT_BINUNICODE("date"), STACK_GLOBAL)
        nothing_ran.refused(data, "STACK_GLOBAL", allow=[samples.MyStr], remedy=False)

    @pytest.mark.parametrize("length", [257, 10_000, 1_000_000])
    def test_long_names_are_cut_in_the_message(self, length: int, nothing_ran: Any) -> None:
        for pair in (("m" * length, "n"), ("m", "n" * length), ("m." * (length // 2) + "m", "n")):
            error = nothing_ran.refused(
                asm(BINUNICODE(pair[0]), BINUNICODE(pair[1]), STACK_GLOBAL), remedy=False
            )
            assert len(str(error)) < 2500

    def test_terminal_escapes_are_escaped(self, nothing_ran: Any) -> None:
        """A name is foreign text: what it does to a terminal must not reach one."""
        error = nothing_ran.refused(asm(*mention("m\x1b[2J\u202e", "n\n\r\x07")), remedy=False)
        assert not set("\x1b\u202e\r\x07") & set(str(error))


GADGETS = lines("gadgets.txt")


class TestA22Gadgets:
    """A policy that names a universal gadget is a mistake: it cannot be built."""

    @pytest.mark.parametrize("path", GADGETS)
    def test_gadgets_are_no_entries(self, path: str) -> None:
        with pytest.raises(ValueError, match="dangerously") as caught:
            picklist.Policy(allow=[path])
        assert isinstance(caught.value, picklist.PicklistError)
        assert path.rpartition(".")[2] in str(caught.value)

    @pytest.mark.parametrize("gadget", [eval, exec, getattr, pickle.loads, type], ids=repr)
    def test_nor_are_the_objects_themselves(self, gadget: Any) -> None:
        with pytest.raises(ValueError, match="dangerously"):
            picklist.Policy(allow=[gadget])

    def test_nor_through_extend_renames_or_allow(self) -> None:
        with pytest.raises(ValueError, match="dangerously"):
            picklist.Policy().extend("os.system")
        with pytest.raises(ValueError, match="dangerously"):
            picklist.Policy([picklist.Allow("os.system", call="(str)")])
        with pytest.raises(ValueError, match="dangerously"):
            picklist.safe_loads(b"N.", allow=["os.system"])

    def test_a_rename_onto_a_gadget_gives_nothing(self, nothing_ran: Any) -> None:
        """``rename=`` only changes where a name is looked up."""
        policy = picklist.Policy(rename={("old", "name"): CANARY})
        nothing_ran.refused(asm(*mention("old", "name")), "picklist_canary.fire", policy=policy)
