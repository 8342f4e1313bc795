"""Which files a scan is asked for: what paths, folders, globs and URLs stand for."""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

# Taken for the size of a file whose size would be another request.
UNKNOWN = 1 << 20


def files_of(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files that paths, folders and globs stand for, and what stands for none."""
    found: dict[str, None] = {}
    missing = []
    for path in paths:
        if is_url(path):
            found.update(dict.fromkeys(_remote(path)))
        elif Path(path).is_dir():
            found.update(dict.fromkeys(_walked(path)))
        elif Path(path).exists():
            found[path] = None
        else:
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute too
            if not matches:
                missing.append(path)
            for match in matches:
                found.update(dict.fromkeys(_walked(match) if Path(match).is_dir() else [match]))
    return list(found), missing


def is_url(path: str) -> bool:
    """Tell an URL from a path."""
    return "://" in path


def size_of(path: str) -> int:
    """Return the size of a file; what cannot be asked counts as something."""
    if is_url(path):
        return UNKNOWN
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _remote(url: str) -> list[str]:
    """Return the files that an URL stands for; what cannot be listed stands for itself."""
    try:
        files, root = importlib.import_module("fsspec.core").url_to_fs(url)
        if files.isdir(root):
            names = files.find(root)
        else:
            names = files.glob(root) if glob.has_magic(root) else [root]
    except Exception:  # noqa: BLE001 - every service has errors of its own; opening it says why
        return [url]
    return [str(files.unstrip_protocol(name)) for name in sorted(names)] or [url]


def _walked(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = str(Path(root, name))
            # Pipes and devices have no end; a broken link has no content.
            if Path(path).is_file():
                yield path
