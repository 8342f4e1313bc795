"""`dumps`, `dump` and `Pickler`: pickle's own, whose failures carry the explanation.

Nothing else changes: the same bytes, the same arguments, the same class of exception. The
preflight is imported when something has failed, and not before.
"""

from __future__ import annotations

import pickle
from typing import Any


def dumps(
    obj: Any,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Any = None,
) -> bytes:
    """Return the pickle of `obj`, as :func:`pickle.dumps` does.

    Raises
    ------
    Exception
        What :func:`pickle.dumps` raises, with the explanation as a note on it.
    """
    try:
        return pickle.dumps(obj, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback)
    except Exception as error:
        _explain(error, obj, protocol)
        raise


def dump(
    obj: Any,
    file: Any,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Any = None,
) -> None:
    """Write the pickle of `obj` to an open file, as :func:`pickle.dump` does.

    Raises
    ------
    Exception
        What :func:`pickle.dump` raises, with the explanation as a note on it.
    """
    try:
        pickle.dump(obj, file, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback)
    except Exception as error:
        _explain(error, obj, protocol)
        raise


class Pickler(pickle.Pickler):
    """:class:`pickle.Pickler`, whose `dump` explains a failure in a note."""

    def dump(self, obj: Any, /) -> None:
        """Write the pickle of `obj`, as :meth:`pickle.Pickler.dump` does."""
        try:
            super().dump(obj)
        except Exception as error:
            if type(self) is Pickler:  # a subclass may have rules of its own
                _explain(error, obj, None)
            raise


def _explain(error: BaseException, obj: Any, protocol: int | None) -> None:
    """Add the note. The explanation must not get in the way of the error itself."""
    from picklist._preflight.check import attach

    try:
        attach(error, obj, protocol)
    except Exception as trouble:  # noqa: BLE001
        error.add_note(f"picklist: could not explain this: {type(trouble).__name__}")
