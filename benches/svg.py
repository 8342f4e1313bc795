"""A page of vector graphics, as little as the benchmark's two figures need.

A plotting library would draw them too, but its files are a hundred times as long, differ from one
run to the next and show one colour scheme.  These are text that a diff can show, the same bytes for
the same numbers, and follow the reader's light or dark page.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 14px; font-weight: 600; }
  .note { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; }
  .a { fill: #0969da; stroke: #0969da; }
  .b { fill: #bc4c00; stroke: #bc4c00; }
  .c { fill: #1a7f37; stroke: #1a7f37; }
  .d { fill: #8250df; stroke: #8250df; }
  .grey { fill: #818b98; stroke: #818b98; }
  polyline { fill: none !important; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .one { stroke: #9198a1; }
    .a { fill: #4493f8; stroke: #4493f8; }
    .b { fill: #f0883e; stroke: #f0883e; }
    .c { fill: #3fb950; stroke: #3fb950; }
    .d { fill: #ab7df8; stroke: #ab7df8; }
  }
"""

#: Classes for series, in the order in which they are used.
SERIES = ("a", "b", "c", "d", "grey")


class Page:
    """Shapes on a page of fixed size; coordinates grow right and down."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width = width
        self.height = height
        self.label = label
        self.shapes: list[str] = []

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Write."""
        attributes = f' class="{kind}"' if kind else ""
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(words)}</text>')

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """Draw a straight line."""
        (x1, y1), (x2, y2) = start, end
        self.shapes.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def dot(self, x: float, y: float, kind: str, note: str, radius: float = 3.5) -> None:
        """Draw a dot; the note shows when pointed at."""
        self.shapes.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}">'
            f"<title>{escape(note)}</title></circle>"
        )

    def curve(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(f'<polyline points="{joined}" class="{kind}"/>')

    def render(self) -> str:
        """Return the file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:.0f}" '
            f'height="{self.height:.0f}" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
            f'role="img" aria-label={quoteattr(self.label)}>'
        )
        return "\n".join([head, f"<style>{STYLE}</style>", *self.shapes, "</svg>", ""])
