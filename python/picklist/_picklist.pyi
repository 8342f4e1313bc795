"""Types of the Rust extension: loading and its policy."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pickle import Pickler as _Pickler
from types import ModuleType
from typing import Any, ClassVar, Protocol, Self, SupportsIndex, TypeAlias, final, type_check_only

from _typeshed import ReadableBuffer

@type_check_only
class _ReadableFile(Protocol):
    def read(self, n: int, /) -> bytes: ...
    def readline(self) -> bytes: ...

@type_check_only
class _WritableFile(Protocol):
    def write(self, data: bytes, /) -> Any: ...

_Allowed: TypeAlias = type | Callable[..., Any] | str | Allow
_Base: TypeAlias = str | Sequence[str]
_Buffers: TypeAlias = Iterable[Any] | None
_PersistentLoad: TypeAlias = Callable[[Any], Any] | None

def safe_loads(
    data: ReadableBuffer,
    /,
    *,
    policy: Policy | None = None,
    allow: Iterable[_Allowed] = (),
    limits: Limits | None = None,
    strict: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: _Buffers = None,
    persistent_load: _PersistentLoad = None,
) -> Any: ...
def safe_load(
    file: _ReadableFile,
    /,
    *,
    policy: Policy | None = None,
    allow: Iterable[_Allowed] = (),
    limits: Limits | None = None,
    strict: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: _Buffers = None,
    persistent_load: _PersistentLoad = None,
) -> Any: ...
def loads(
    data: ReadableBuffer,
    /,
    *,
    policy: Policy | None = None,
    allow: Iterable[_Allowed] = (),
    limits: Limits | None = None,
    strict: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: _Buffers = None,
    persistent_load: _PersistentLoad = None,
) -> Any: ...
def load(
    file: _ReadableFile,
    /,
    *,
    policy: Policy | None = None,
    allow: Iterable[_Allowed] = (),
    limits: Limits | None = None,
    strict: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: _Buffers = None,
    persistent_load: _PersistentLoad = None,
) -> Any: ...

class Unpickler:
    memo: dict[int, Any]
    def __init__(
        self,
        file: _ReadableFile,
        /,
        *,
        policy: Policy | None = None,
        allow: Iterable[_Allowed] = (),
        limits: Limits | None = None,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: _Buffers = None,
    ) -> None: ...
    def load(self) -> Any: ...
    def find_class(self, module: str, name: str, /) -> Any: ...
    def persistent_load(self, pid: Any, /) -> Any: ...

@final
class Allow:
    def __new__(
        cls,
        target: type | Callable[..., Any] | str,
        /,
        *,
        call: str | bool | None = None,
        new: str | bool | None = None,
        state: str | bool | Iterable[str] | None = None,
        append: bool = False,
        items: bool = False,
        fields: Iterable[str] | Mapping[str, Any] | None = None,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Limits:
    def __new__(
        cls,
        *,
        max_depth: int | None = 10_000,
        max_hash_depth: int | None = 500,
        max_memory: int | None = None,
        max_hash_work: int | None = None,
        max_key_collisions: int | None = 256,
        max_int_digits: int | None = 4300,
        max_int_bytes: int | None = None,
        max_bytes: int | None = None,
        max_expanded: int | None = None,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@type_check_only
class _Verdict(Protocol):
    @property
    def allowed(self) -> bool: ...
    @property
    def rights(self) -> tuple[str, ...]: ...
    @property
    def preset(self) -> str | None: ...
    def __bool__(self) -> bool: ...

@final
class Policy:
    HIGHEST_PROTOCOL: ClassVar[int]
    Pickler: ClassVar[type[_Pickler]]
    def __new__(
        cls,
        allow: Iterable[_Allowed] = (),
        *,
        base: _Base = "std",
        rename: Mapping[tuple[str, str], tuple[str, str]] | None = None,
        ext: Mapping[int, tuple[str, str]] | None = None,
        persistent_load: _PersistentLoad = None,
        limits: Limits | None = None,
    ) -> Self: ...
    @property
    def __name__(self) -> str: ...
    @property
    def Unpickler(self) -> type[Unpickler]: ...
    def loads(
        self,
        data: ReadableBuffer,
        /,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: _Buffers = None,
    ) -> Any: ...
    def load(
        self,
        file: _ReadableFile,
        /,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: _Buffers = None,
    ) -> Any: ...
    def dumps(
        self,
        obj: Any,
        protocol: SupportsIndex | None = None,
        *,
        fix_imports: bool = True,
        buffer_callback: Callable[[Any], Any] | None = None,
    ) -> bytes: ...
    def dump(
        self,
        obj: Any,
        file: _WritableFile,
        protocol: SupportsIndex | None = None,
        *,
        fix_imports: bool = True,
        buffer_callback: Callable[[Any], Any] | None = None,
    ) -> None: ...
    def extend(self, *allow: _Allowed) -> Self: ...
    def __or__(self, other: Policy, /) -> Policy: ...
    def __contains__(self, target: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def check(self, module: str, name: str) -> _Verdict: ...
    def explain(self, name: str) -> str: ...
    def to_toml(self) -> str: ...
    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Self: ...
    @classmethod
    def from_pyproject(cls, path: str | PathLike[str] | None = None) -> Self: ...
    @classmethod
    def from_module(cls, module: ModuleType | str) -> Self: ...
    @classmethod
    def unrestricted(cls) -> Self: ...
