"""Which files go to a worker together: small ones in batches, so that tasks cost little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Batches that each worker gets, at the least: the last ones end at about the same time.
_EACH = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that follow one another.

    Attributes
    ----------
    first : int
        The place of the first one among all files.
    paths : tuple of str
        The files.
    """

    first: int
    paths: tuple[str, ...]

    def halves(self) -> tuple[Batch, Batch]:
        """Split it in two."""
        middle = len(self.paths) // 2
        return (
            Batch(self.first, self.paths[:middle]),
            Batch(self.first + middle, self.paths[middle:]),
        )

    def singles(self) -> list[Batch]:
        """Split it into its files."""
        return [Batch(self.first + at, (path,)) for at, path in enumerate(self.paths)]


def batches(
    paths: Sequence[str], sizes: Sequence[int], workers: int, *, most_files: int, most_bytes: int
) -> Iterator[Batch]:
    """Yield all files in their order, in batches.

    Parameters
    ----------
    paths, sizes : sequence
        The files and their bytes.
    workers : int
        How many share the work: few files are spread over all of them.
    most_files, most_bytes : int
        A batch holds no more, unless a single file does.
    """
    shares = max(1, workers) * _EACH
    most_files = max(1, min(most_files, len(paths) // shares))
    most_bytes = min(most_bytes, sum(sizes) // shares)
    first = total = 0
    for at, size in enumerate(sizes):
        if at > first and (total + size > most_bytes or at - first >= most_files):
            yield Batch(first, tuple(paths[first:at]))
            first, total = at, 0
        total += size
    if paths:
        yield Batch(first, tuple(paths[first:]))
