"""``inspect`` says what ``safe_loads`` does, and says it without doing anything."""

from __future__ import annotations

import pickle
import pickletools
import random
import threading
from pathlib import Path
from typing import Any

import pytest

import picklist
from assembler import (
    BINPERSID,
    EMPTY_DICT,
    EXT1,
    GLOBAL,
    NEXT_BUFFER,
    NONE,
    POP,
    PROTO,
    READONLY_BUFFER,
    REDUCE,
    SETITEM,
    SHORT_BINBYTES,
    SHORT_BINUNICODE,
    STACK_GLOBAL,
    TUPLE1,
    asm,
)
from corpus import SAMPLES, Sample
from malformed import BOASTFUL, MALFORMED, TRUNCATED
from payloads import call, literal

STD = picklist.Policy()
OPCODES = b"cibR\x81\x93o0(2atu}])jhq\x94QP\x85\x86\x97\x98\x82\x92"

pytestmark = pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated")


def loads(data: bytes, policy: Any = None, encoding: str = "ASCII") -> Any:
    """Return the refusal of a stream, or None if it loads."""
    try:
        picklist.safe_loads(data, policy=policy, encoding=encoding)
    except picklist.UnsafePickleError as error:
        return error
    return None


def agree(data: bytes, policy: Any = None, encoding: str = "ASCII") -> Any:
    """Inspect, load, and compare the verdicts."""
    found = picklist.inspect(data, policy=policy, encoding=encoding)
    error = loads(data, policy, encoding)
    assert found.allowed == (error is None), f"{data!r}\n{found}\n{error}"
    return found


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a stream with a few bytes changed, put in, cut out, or taken from other streams."""
    stream = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(stream) + 1)
        match rng.randrange(5):
            case 0:
                stream[at : at + 1] = rng.randbytes(1)
            case 1:
                stream[at:at] = rng.randbytes(1)
            case 2:
                del stream[at : at + rng.randrange(1, 4)]
            case 3:
                other = rng.choice(SAMPLES).data
                start = rng.randrange(len(other))
                stream[at:at] = other[start : start + rng.randrange(1, 30)]
            case _:
                stream[at:at] = bytes([rng.choice(OPCODES)])
    return bytes(stream)


class TestVerdict:
    """The verdict is the loader's."""

    @pytest.mark.parametrize("sample", SAMPLES, ids=str)
    def test_real_pickles(self, sample: Sample) -> None:
        policy = picklist.Policy(base=list(sample.base), allow=sample.allow)
        assert agree(sample.data, policy, sample.encoding).allowed
        agree(sample.data, STD, sample.encoding)
        agree(sample.data, picklist.Policy(base="plain"), sample.encoding)

    def test_mutated_pickles(self) -> None:
        rng = random.Random(6)
        for sample in SAMPLES:
            for _ in range(15):
                agree(mutated(sample.data, rng), STD, sample.encoding)

    @pytest.mark.parametrize("streams", [TRUNCATED, MALFORMED, BOASTFUL])
    def test_malformed_streams(self, streams: dict[str, bytes]) -> None:
        for data in streams.values():
            found = agree(data)
            error = loads(data)
            if found.fault:
                assert (found.fault.offset, found.fault.opcode) == (error.offset, error.opcode)
                assert found.fault.message in str(error)

    def test_a_read_only_buffer_must_be_a_buffer(self) -> None:
        """Inline bytes are none: found by mutation."""
        for value in (SHORT_BINBYTES(b"a"), call("builtins.bytearray", b"a")):
            assert not agree(asm(PROTO(5), value, READONLY_BUFFER)).allowed

    def test_limits_of_the_policy(self) -> None:
        policy = picklist.Policy(limits=picklist.Limits(max_depth=3))
        assert agree(pickle.dumps([[[1]]]), policy).allowed
        assert not agree(pickle.dumps([[[[1]]]]), policy).allowed

    def test_an_unrestricted_policy(self) -> None:
        assert picklist.inspect(
            pickle.dumps(ValueError("x")), policy=picklist.Policy.unrestricted()
        ).allowed

    def test_persistent_ids_need_a_resolver(self) -> None:
        data = asm(PROTO(4), literal("id"), BINPERSID)
        found = agree(data)
        assert found.persistent_ids == ["'id'"]
        assert [finding.rule for finding in found.findings] == ["external"]
        policy = picklist.Policy(persistent_load=str)
        assert agree(data, policy).allowed

    def test_extension_codes(self) -> None:
        found = agree(asm(PROTO(2), EXT1(7)))
        assert found.extension_codes == [7]
        assert [finding.rule for finding in found.findings] == ["extension-code"]

    def test_buffers(self) -> None:
        found = agree(asm(PROTO(5), NEXT_BUFFER))
        assert found.buffers == 1
        assert [finding.rule for finding in found.findings] == ["external"]


class TestGlobals:
    """Every name, where it is, and what is done with it."""

    DATA = asm(
        *(PROTO(4), EMPTY_DICT),
        *(literal("when"), call("datetime.date", b"\x07\xe8\x01\x01"), SETITEM),
        *(literal("hook"), SHORT_BINUNICODE("posix"), SHORT_BINUNICODE("system"), STACK_GLOBAL),
        *(literal("id"), TUPLE1, REDUCE, SETITEM),
        *(literal("old"), GLOBAL("__builtin__", "xrange"), SETITEM),
    )

    def test_names_offsets_paths_and_rights(self) -> None:
        found = picklist.inspect(self.DATA)
        date, system, old = found.globals
        assert [str(used) for used in found] == [
            "datetime.date",
            "posix.system",
            "__builtin__.xrange",
        ]
        assert (date.verdict, date.rights, date.path) == ("allowed", ("call",), "$['when']")
        assert (system.verdict, system.rights, system.path) == ("refused", ("call",), "$['hook']")
        assert system.arguments == ("('id',)",)
        assert "runs commands" in str(system.gadget)
        assert (old.verdict, old.path) == ("refused", "$['old']")
        positions = {
            position: opcode.name
            for opcode, _, position in pickletools.genops(self.DATA)
            if opcode.name in ("GLOBAL", "STACK_GLOBAL")
        }
        assert {used.offset: used.opcode for used in found.globals} == positions

    def test_presets_are_named(self) -> None:
        (used,) = picklist.inspect(pickle.dumps(ValueError("x"))).globals
        assert (used.preset, used.allowed) == ("exceptions", False)

    def test_python_2_names_are_renamed(self) -> None:
        (used,) = picklist.inspect(b"\x80\x02c__builtin__\nset\n]\x85R.").globals
        assert (used.module, used.name) == ("builtins", "set")
        assert used.spelled == ("__builtin__", "set")

    @pytest.mark.parametrize("sample", [s for s in SAMPLES[::5] if s.encoding == "ASCII"], ids=str)
    def test_they_are_the_ones_that_pickletools_sees(self, sample: Sample) -> None:
        found = picklist.inspect(sample.data, encoding=sample.encoding)
        seen = {used.spelled or (used.module, used.name) for used in found.globals}
        strings: list[str] = []
        expected = set()
        for opcode, argument, _ in pickletools.genops(sample.data):
            if opcode.name in ("GLOBAL", "INST"):
                expected.add(tuple(str(argument).split(" ", 1)))
            elif "UNICODE" in opcode.name:
                strings.append(str(argument))
        for module, name in seen - expected:
            assert module in strings
            assert name in strings
        assert expected <= seen


class TestFaults:
    """What was seen up to the fault is reported."""

    DATA = asm(PROTO(4), call("os.system", "id"), POP, b"\xff", stop=False)

    def test_payload_first_then_garbage(self) -> None:
        """As nullifAI did (ReversingLabs, 2025): the payload runs before the stream breaks."""
        found = picklist.inspect(self.DATA)
        assert [str(used) for used in found.globals] == ["os.system"]
        assert found.fault is not None
        assert found.fault.kind == "malformed"
        assert found.fault.offset == len(self.DATA) - 1
        assert str(found.fault) == "invalid load key, '\\xff'. (byte 33)".replace(
            "33", str(len(self.DATA) - 1)
        )
        assert [finding.rule for finding in found.findings] == ["dangerous-global", "malformed"]

    def test_every_prefix_reports_what_it_holds(self) -> None:
        data = TestGlobals.DATA
        names = [str(used) for used in picklist.inspect(data)]
        for end in range(len(data)):
            found = agree(data[:end])
            assert found.fault is not None
            assert [str(used) for used in found] == names[: len(found.globals)]


class TestSeveralPickles:
    """Programs that call `load` again read what follows."""

    PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."

    def test_a_payload_in_the_second(self) -> None:
        first = pickle.dumps([1])
        found = picklist.inspect(first + self.PAYLOAD)
        assert found.allowed
        assert found.trailing == len(self.PAYLOAD)
        (second,) = found.pickles
        assert not second.allowed
        assert second.start == len(first)
        assert (found.seen, found.refused) == (2, 1)
        (finding,) = found.findings
        assert (finding.rule, finding.name, finding.offset) == (
            "dangerous-global",
            "os.system",
            len(first),
        )

    def test_a_payload_after_one_that_is_refused(self) -> None:
        found = picklist.inspect(b"cevil\nname\n." + self.PAYLOAD)
        assert [finding.name for finding in found.findings] == ["evil.name", "os.system"]

    def test_trailing_bytes(self) -> None:
        found = picklist.inspect(pickle.dumps(1) + b"\xff\xff")
        assert found.allowed
        assert [finding.rule for finding in found.findings] == ["trailing-data"]

    def test_many_are_counted_and_the_last_is_not_missed(self) -> None:
        found = picklist.inspect(b"N." * 50_000 + self.PAYLOAD)
        assert (found.seen, found.refused) == (50_001, 1)
        assert len(found.pickles) < 200
        assert [finding.name for finding in found.findings] == ["os.system"]
        assert "more pickles" in str(found)


class TestLooking:
    """Where it reads from, and what it leaves alone."""

    def test_paths(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(TestSeveralPickles.PAYLOAD)
        for given in (path, str(path)):
            found = picklist.inspect(given)
            assert found.source == str(path)
            assert str(found).startswith(f"{path}: 1 refused by policy 'std'")
        with pytest.raises(FileNotFoundError):
            picklist.inspect(tmp_path / "nowhere.pkl")

    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    def test_buffers_of_any_kind(self, make: Any) -> None:
        assert picklist.inspect(make(pickle.dumps([1]))).size == len(pickle.dumps([1]))

    def test_nothing_runs(self, nothing_ran: Any) -> None:
        picklist.inspect(b"N.")
        with nothing_ran.guard():
            picklist.inspect(asm(PROTO(4), call("picklist_canary.fire", 1)))

    def test_other_threads_run_meanwhile(self) -> None:
        """The GIL is released: a thread counts on while a large pickle is looked at."""
        data = pickle.dumps([[number, str(number)] for number in range(60_000)])
        counted = 0
        done = threading.Event()

        def count() -> None:
            nonlocal counted
            while not done.wait(0.001):
                counted += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = counted
        for _ in range(12):
            picklist.inspect(data)
        after = counted
        done.set()
        thread.join()
        assert after > before

    def test_other_data_is_named(self) -> None:
        assert "it is a zip archive" in str(picklist.inspect(b"PK\x03\x04" + bytes(30)))

    def test_costs(self) -> None:
        found = picklist.inspect(pickle.dumps({"a": [(1, 2), (3, 4)]}, 2))
        assert found.limits["depth"] == found.depth == 3
        assert found.limits["memory"] > 100
        assert found.opcodes["TUPLE2"] == 2
        assert (found.protocol, found.protocol_needed) == (2, 2)
        assert found.memo > 0
        assert found.leftovers == 0
        assert picklist.inspect(asm(PROTO(4), NONE, NONE)).leftovers == 1
