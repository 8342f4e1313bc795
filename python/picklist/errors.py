"""Every exception that picklist raises.

Two rules shape this module.  The text of an exception *is* the explanation: ``str(error)`` is
the message that was given, whatever the other base classes would print.  And exceptions fit
pickle: a program that catches what :func:`pickle.loads` raises today catches what picklist raises
in the same place.  That second rule is why a malformed stream is reported by a class which is a
:class:`MalformedPickleError` and, besides, the built-in exception that pickle would have raised::

    pickle.PicklingError
      PicklistError                    every failure that this library explains
        NotPicklableError              the object cannot be pickled
        PolicyError                    the policy itself makes no sense (also ValueError)
        UnsafePickleError              the pickle was not loaded (also pickle.UnpicklingError)
          ForbiddenGlobalError         it mentions names outside the policy
          ForbiddenCallError           it uses an allowed name beyond what was granted
          LimitExceededError           it costs more than the limits allow
          MalformedPickleError         it is not a pickle
            TruncatedPickleError       it ends too early (also EOFError)

All of them survive ``pickle``, ``copy`` and the trip back from a worker process.
"""

from __future__ import annotations

import pickle
from typing import Any

__all__ = [
    "ForbiddenCallError",
    "ForbiddenGlobalError",
    "LimitExceededError",
    "MalformedPickleError",
    "NotPicklableError",
    "PicklistError",
    "PolicyError",
    "TruncatedPickleError",
    "UnsafePickleError",
]


class PicklistError(pickle.PicklingError):
    """Base class of every failure that picklist explains.

    Parameters
    ----------
    message : str
        The explanation, printed as it is.
    """

    __module__ = "picklist"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    def __str__(self) -> str:
        # KeyError would print a repr, UnicodeDecodeError a sentence of its own.
        return str(self.args[0]) if self.args else ""


class NotPicklableError(PicklistError):
    """An object cannot be pickled, or would not come back.

    Parameters
    ----------
    message : str
        Every reason, each with its path inside the object, its cause and its fixes.
    report : object, optional
        The same as data.
    """

    __module__ = "picklist"

    report: Any

    def __init__(self, message: str = "", *, report: Any = None) -> None:
        super().__init__(message)
        self.report = report


class PolicyError(PicklistError, ValueError):
    """A policy names something that no policy may grant, or that does not exist."""

    __module__ = "picklist"


class UnsafePickleError(PicklistError, pickle.UnpicklingError):
    """A pickle was not loaded.

    Parameters
    ----------
    message : str
        What the stream tried to do, where, and what would allow it.
    report : object, optional
        Everything that is known about the stream.
    kind : str, optional
        The kind of failure, one of the names that :func:`choose` accepts.
    offset : int, optional
        Byte offset in the stream at which the offending opcode starts.
    opcode : str, optional
        Name of that opcode, as in :mod:`pickletools`.
    path : str, optional
        Where in the object the stream was working, for example ``$['clf'].coef_``.
    """

    __module__ = "picklist"

    report: Any
    kind: str | None
    offset: int | None
    opcode: str | None
    path: str | None

    def __init__(
        self,
        message: str = "",
        *,
        report: Any = None,
        kind: str | None = None,
        offset: int | None = None,
        opcode: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.report = report
        self.kind = kind
        self.offset = offset
        self.opcode = opcode
        self.path = path


class ForbiddenGlobalError(UnsafePickleError):
    """A pickle mentions names that the policy does not hold.

    Parameters
    ----------
    message : str
        The explanation.
    module, name : str, optional
        The first forbidden pair.
    blocked : tuple of (str, str), optional
        All forbidden ``(module, name)`` pairs of the stream, in stream order.
    **where
        As for :class:`UnsafePickleError`.
    """

    __module__ = "picklist"

    module: str | None
    name: str | None
    blocked: tuple[tuple[str, str], ...]

    def __init__(
        self,
        message: str = "",
        *,
        module: str | None = None,
        name: str | None = None,
        blocked: tuple[tuple[str, str], ...] = (),
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.module = module
        self.name = name
        self.blocked = tuple(blocked)


class ForbiddenExtensionError(ForbiddenGlobalError, ValueError):
    """Forbidden where pickle raises ValueError: an extension code that the policy does not map."""


class ForbiddenCallError(UnsafePickleError):
    """A pickle uses an allowed name beyond its capability or its contract."""

    __module__ = "picklist"


class LimitExceededError(UnsafePickleError):
    """A pickle costs more than :class:`picklist.Limits` allows.

    Parameters
    ----------
    message : str
        The explanation.
    limit : str, optional
        Name of the limit, as in :class:`picklist.Limits`.
    value, maximum : int, optional
        What the stream reached, and what it was allowed.
    **where
        As for :class:`UnsafePickleError`.
    """

    __module__ = "picklist"

    limit: str | None
    value: int | None
    maximum: int | None

    def __init__(
        self,
        message: str = "",
        *,
        limit: str | None = None,
        value: int | None = None,
        maximum: int | None = None,
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.limit = limit
        self.value = value
        self.maximum = maximum


class MalformedPickleError(UnsafePickleError):
    """The bytes are not a pickle, or not one that every reader would read the same way."""

    __module__ = "picklist"


class TruncatedPickleError(MalformedPickleError, EOFError):
    """The pickle ends before its STOP opcode."""

    __module__ = "picklist"


# The classes below exist so that ``except ValueError`` goes on catching what it catches around
# pickle.loads today.  They are no part of the API: catch MalformedPickleError or the built-in.


class MalformedValueError(MalformedPickleError, ValueError):
    """Malformed where pickle raises ValueError: protocol numbers, numerals, negative counts."""


class MalformedKeyError(MalformedPickleError, KeyError):
    """Malformed where pickle raises KeyError."""


class MalformedIndexError(MalformedPickleError, IndexError):
    """Malformed where pickle raises IndexError."""


class MalformedTypeError(MalformedPickleError, TypeError):
    """Malformed where pickle raises TypeError: unhashable keys, calls of what is not callable."""


class MalformedOverflowError(MalformedPickleError, OverflowError):
    """Malformed where pickle raises OverflowError: lengths beyond the address space."""


class MalformedAttributeError(MalformedPickleError, AttributeError):
    """Malformed where pickle raises AttributeError: a module without the name."""


class MalformedImportError(MalformedPickleError, ModuleNotFoundError):
    """Malformed where pickle raises ImportError: a module that does not exist."""


class MalformedUnicodeError(MalformedPickleError, UnicodeDecodeError):
    """Malformed where pickle raises UnicodeDecodeError.

    Parameters
    ----------
    message : str
        The explanation.
    encoding, object, start, end, reason
        As for :class:`UnicodeDecodeError`; `reason` is the message unless given.
    **where
        As for :class:`UnsafePickleError`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        encoding: str = "utf-8",
        object: bytes = b"",  # noqa: A002 - UnicodeDecodeError's own word
        start: int = 0,
        end: int = 0,
        reason: str | None = None,
        **where: Any,
    ) -> None:
        # UnicodeDecodeError.__init__ takes exactly five arguments, so the cooperative chain
        # would fail in it: fill its fields here and the rest by hand.
        UnicodeDecodeError.__init__(
            self, encoding, object, start, end, message if reason is None else reason
        )
        self.args = (message,)
        self.report = where.pop("report", None)
        self.kind = where.pop("kind", None)
        self.offset = where.pop("offset", None)
        self.opcode = where.pop("opcode", None)
        self.path = where.pop("path", None)
        if where:
            raise TypeError(f"unexpected keyword argument {next(iter(where))!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # The five fields live in C slots that BaseException.__reduce__ does not carry.
        fields = ("encoding", "object", "start", "end", "reason")
        state = {**self.__dict__, **{field: getattr(self, field) for field in fields}}
        return type(self), self.args, state


_KINDS: dict[str, type[UnsafePickleError]] = {
    "malformed": MalformedPickleError,
    "truncated": TruncatedPickleError,
    "value": MalformedValueError,
    "key": MalformedKeyError,
    "index": MalformedIndexError,
    "type": MalformedTypeError,
    "overflow": MalformedOverflowError,
    "attribute": MalformedAttributeError,
    "import": MalformedImportError,
    "unicode": MalformedUnicodeError,
    "limit": LimitExceededError,
    "forbidden-global": ForbiddenGlobalError,
    "forbidden-extension": ForbiddenExtensionError,
    "forbidden-call": ForbiddenCallError,
}


def choose(kind: str) -> type[UnsafePickleError]:
    """Return the class that reports failures of this kind.

    Parameters
    ----------
    kind : str
        The loader's name for it: ``'malformed'``, ``'truncated'``, ``'value'``, ``'key'``,
        ``'index'``, ``'type'``, ``'overflow'``, ``'attribute'``, ``'import'``, ``'unicode'``,
        ``'limit'``, ``'forbidden-global'``, ``'forbidden-extension'`` or ``'forbidden-call'``.

    Raises
    ------
    KeyError
        If the loader has no such kind.
    """
    return _KINDS[kind]
