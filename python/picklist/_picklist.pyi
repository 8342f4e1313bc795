"""Types of the Rust extension: loading and its policy."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pickle import Pickler as _Pickler
from types import ModuleType
from typing import Any, Literal, Protocol, Self, SupportsIndex, TypeAlias, final, type_check_only

from _typeshed import ReadableBuffer
from typing_extensions import disjoint_base

__all__ = [
    "Allow",
    "Limits",
    "Policy",
    "Unpickler",
    "Verdict",
    "Walk",
    "_genops",
    "_inspect",
    "_inspected",
    "_opcodes",
    "_ways",
    "inspect_pickles",
    "kind_catalogue",
    "load",
    "loads",
    "presets_with",
    "reason_catalogue",
    "safe_load",
    "safe_loads",
    "walk",
]

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

@disjoint_base
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
    @property
    def module(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def rights(self) -> tuple[str, ...]: ...
    def __new__(
        cls,
        target: type | Callable[..., Any] | str,
        /,
        *,
        call: str | bool | None = None,
        new: str | bool | None = None,
        state: str | bool | Iterable[str] | Mapping[Literal["except"], Iterable[str]] | None = None,
        append: bool = False,
        items: bool = False,
        add: bool = False,
        fields: Iterable[str] | None = None,
    ) -> Self: ...
    @staticmethod
    def dangerously(
        target: type | Callable[..., Any] | str,
        /,
        *,
        call: str | bool | None = None,
        new: str | bool | None = None,
        state: str | bool | Iterable[str] | Mapping[Literal["except"], Iterable[str]] | None = None,
        append: bool = False,
        items: bool = False,
        add: bool = False,
        fields: Iterable[str] | None = None,
    ) -> Allow: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Limits:
    @property
    def max_depth(self) -> int | None: ...
    @property
    def max_hash_depth(self) -> int | None: ...
    @property
    def max_memory(self) -> int | None: ...
    @property
    def max_hash_work(self) -> int | None: ...
    @property
    def max_key_collisions(self) -> int | None: ...
    @property
    def max_int_digits(self) -> int | None: ...
    @property
    def max_int_bytes(self) -> int | None: ...
    @property
    def max_bytes(self) -> int | None: ...
    @property
    def max_expanded(self) -> int | None: ...
    def __new__(
        cls,
        *,
        max_depth: int | None = 10_000,
        max_hash_depth: int | None = 500,
        max_memory: int | None = None,
        max_hash_work: int | None = None,
        max_key_collisions: int | None = 256,
        max_int_digits: int | None = 4300,
        max_int_bytes: int | None = 16_777_216,
        max_bytes: int | None = None,
        max_expanded: int | None = None,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @staticmethod
    def unlimited() -> Limits: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Verdict:
    @property
    def module(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def allowed(self) -> bool: ...
    @property
    def rights(self) -> tuple[str, ...]: ...
    @property
    def preset(self) -> str | None: ...
    @property
    def why(self) -> str: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Policy:
    def __new__(
        cls,
        allow: Iterable[_Allowed] = (),
        *,
        base: _Base = "std",
        rename: Mapping[tuple[str, str], tuple[str, str]] | Mapping[str, str] | None = None,
        ext: Mapping[int, tuple[str, str] | str] | None = None,
        persistent_load: _PersistentLoad = None,
        limits: Limits | None = None,
    ) -> Self: ...
    @property
    def __name__(self) -> str: ...
    @property
    def Unpickler(self) -> type[Unpickler]: ...
    @property
    def Pickler(self) -> type[_Pickler]: ...
    @property
    def HIGHEST_PROTOCOL(self) -> int: ...
    @property
    def DEFAULT_PROTOCOL(self) -> int: ...
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
    def extend(self, *allow: _Allowed) -> Policy: ...
    def __or__(self, other: Policy, /) -> Policy: ...
    def __ror__(self, other: Policy, /) -> Policy: ...
    def __contains__(self, target: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def check(self, module: str, name: str) -> Verdict: ...
    def explain(self, name: str) -> str: ...
    def to_toml(self) -> str: ...
    def _noted(self, top: list[str], entries: dict[tuple[str, str], list[str]]) -> Policy: ...
    @staticmethod
    def from_file(path: str | PathLike[str]) -> Policy: ...
    @staticmethod
    def from_pyproject(path: str | PathLike[str] | None = None) -> Policy: ...
    @staticmethod
    def from_module(module: ModuleType | str) -> Policy: ...
    @staticmethod
    def unrestricted() -> Policy: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def inspect_pickles(
    data: ReadableBuffer,
    /,
    policy: Policy | None = None,
    *,
    encoding: str = "ASCII",
    persistent_load: bool = False,
    arrays: Literal["opcodes", "padded", "unpadded"] = "opcodes",
) -> tuple[list[tuple[int, str, str]], int, int]: ...
def presets_with(module: str, name: str) -> list[str]: ...
def _opcodes() -> list[tuple[str, int, int, str]]: ...
def _ways() -> dict[str, bool]: ...
def _inspected() -> tuple[int, int] | None: ...
def _inspect(
    data: bytes,
    policy: Policy | None = None,
    *,
    limits: Limits | None = None,
    persistent_load: bool = False,
) -> str: ...
def _genops(data: bytes, /) -> list[tuple[str, Any, int]]: ...

@final
class Walk:
    @property
    def objects(self) -> int: ...
    @property
    def certain(self) -> bool: ...
    @property
    def depth(self) -> int: ...
    @property
    def size(self) -> int: ...
    def buffers(self) -> list[int]: ...
    def findings(self) -> list[tuple[int, str, Any]]: ...
    def loops(self) -> list[int]: ...
    def globals(self) -> list[tuple[int, Any, str, str]]: ...
    def instances(self, per_type: int) -> list[tuple[int, Any]]: ...
    def nodes(self, limit: int) -> list[tuple[int, int, Any]]: ...
    def chain(self, node: int) -> list[tuple[Any, str, int, Any, int]]: ...
    def hits(self) -> list[tuple[int, int, str, int, Any]]: ...
    def weight(self, node: int) -> int: ...
    def largest(self, count: int) -> list[tuple[int, int]]: ...

def walk(
    object: object,  # noqa: A002
    /,
    protocol: int,
    *,
    persistent_id: Any = None,
    reducer_override: Any = None,
    dispatch_table: Any = None,
    opaque: Sequence[type] = ...,
    deepcopy: bool = False,
) -> Walk: ...
def reason_catalogue() -> str: ...
def kind_catalogue() -> str: ...
