"""The exceptions: what catches them, what they print, and that they survive a trip."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import pytest

import picklist
from picklist import errors

BUILTIN = {
    "truncated": EOFError,
    "value": ValueError,
    "key": KeyError,
    "index": IndexError,
    "type": TypeError,
    "overflow": OverflowError,
    "attribute": AttributeError,
    "import": ModuleNotFoundError,
    "unicode": UnicodeDecodeError,
}
LOADING = ["malformed", *BUILTIN, "limit", "forbidden-global", "forbidden-call"]
WHERE = {
    "report": {"opcodes": 3},
    "kind": "value",
    "offset": 7,
    "opcode": "BINGET",
    "path": "$['a'][0]",
}
MESSAGE = "pickle data was truncated: 3 bytes wanted, 1 left\n\n  at $['a']"

SPECIMENS = [
    picklist.PicklistError(MESSAGE),
    picklist.NotPicklableError(MESSAGE, report=["a reason"]),
    picklist.PolicyError(MESSAGE),
    picklist.ForbiddenGlobalError(
        MESSAGE, module="posix", name="system", blocked=(("posix", "system"),), **WHERE
    ),
    picklist.LimitExceededError(MESSAGE, limit="max_depth", value=10_001, maximum=10_000, **WHERE),
    errors.MalformedUnicodeError(
        MESSAGE, encoding="ascii", object=b"\xff", start=0, end=1, reason="not ASCII", **WHERE
    ),
    *(errors.choose(kind)(MESSAGE, **WHERE) for kind in LOADING),
]


def assert_same(clone: BaseException, original: BaseException) -> None:
    assert type(clone) is type(original)
    assert clone.args == original.args
    assert str(clone) == str(original)
    assert vars(clone) == vars(original)
    for name in ("path", "encoding", "object", "start", "end", "reason"):
        assert getattr(clone, name, None) == getattr(original, name, None)


@pytest.mark.parametrize("kind", LOADING)
def test_every_loading_error_is_an_unpickling_error(kind):
    cls = errors.choose(kind)
    assert issubclass(cls, errors.UnsafePickleError)
    assert issubclass(cls, pickle.UnpicklingError)
    assert issubclass(cls, picklist.PicklistError)
    assert issubclass(cls, pickle.PicklingError)


@pytest.mark.parametrize(("kind", "builtin"), BUILTIN.items())
def test_what_catches_pickles_own_error_catches_ours(kind, builtin):
    with pytest.raises(builtin) as caught:
        raise errors.choose(kind)(MESSAGE, **WHERE)
    assert isinstance(caught.value, errors.MalformedPickleError)


def test_only_malformed_streams_are_malformed():
    for kind in ("limit", "forbidden-global", "forbidden-call"):
        assert not issubclass(errors.choose(kind), errors.MalformedPickleError)


def test_an_unknown_kind_has_no_class():
    with pytest.raises(KeyError):
        errors.choose("surprising")


def test_a_bad_policy_is_a_value_error():
    assert issubclass(picklist.PolicyError, ValueError)
    assert not issubclass(picklist.PolicyError, pickle.UnpicklingError)


def test_an_object_that_cannot_be_pickled_is_not_a_loading_error():
    assert not issubclass(picklist.NotPicklableError, pickle.UnpicklingError)


@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
def test_str_is_the_explanation(error):
    assert str(error) == MESSAGE
    assert error.args == (MESSAGE,)


@pytest.mark.parametrize("kind", LOADING)
def test_attributes_default_to_none(kind):
    error = errors.choose(kind)(MESSAGE)
    for name in WHERE:
        assert getattr(error, name) is None
    for name in ("module", "name", "limit", "value", "maximum"):
        assert getattr(error, name, None) is None
    assert getattr(error, "blocked", ()) == ()


@pytest.mark.parametrize("kind", LOADING)
def test_attributes_are_given_by_keyword_and_may_be_set(kind):
    error = errors.choose(kind)(MESSAGE, **WHERE)
    for name, value in WHERE.items():
        assert getattr(error, name) == value
        setattr(error, name, None)
        assert getattr(error, name) is None
    with pytest.raises(TypeError):
        errors.choose(kind)(MESSAGE, {})
    with pytest.raises(TypeError):
        errors.choose(kind)(MESSAGE, colour="red")


def test_a_unicode_error_keeps_its_five_fields():
    error = errors.MalformedUnicodeError("text", encoding="ascii", object=b"a\xff", start=1, end=2)
    assert (error.encoding, error.object, error.start, error.end) == ("ascii", b"a\xff", 1, 2)
    assert error.reason == "text"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickle(error, protocol):
    assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
def test_errors_survive_copy(error, duplicate):
    assert_same(duplicate(error), error)


def test_a_note_survives_too():
    error = picklist.LimitExceededError(MESSAGE, limit="max_depth")
    error.add_note("while reading the cache")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while reading the cache"]


def refuse_in_a_worker(kind: str) -> None:
    raise errors.choose(kind)(MESSAGE, **WHERE)


def test_errors_come_back_from_a_worker_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for kind in LOADING:
            with pytest.raises(errors.choose(kind)) as caught:
                pool.apply(refuse_in_a_worker, (kind,))
            assert str(caught.value) == MESSAGE
            assert caught.value.path == WHERE["path"]


@pytest.mark.parametrize("name", errors.__all__)
def test_public_errors_are_shown_as_picklist_names(name):
    cls = getattr(errors, name)
    assert getattr(picklist, name) is cls
    assert f"{cls.__module__}.{cls.__qualname__}" == f"picklist.{name}"
