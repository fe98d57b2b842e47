"""A small drawing: shapes and text with class names, colours left to the style sheet."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

from micronet.reports.shown import visible

_NARROW: Final = frozenset("iIjlt.,:;'|!()[]{} f/r")
_WIDE: Final = frozenset("mwMW@%×—…")
_SHARE: Final = {True: 0.38, False: 0.61}
_WIDE_SHARE: Final = 0.92


class Canvas:
    """An SVG of ``width`` × ``height`` with a title and a description for screen readers."""

    def __init__(self, name: str, width: float, height: float, title: str, about: str) -> None:
        self.width = width
        identity = f"{name}-{number(width)}"
        self._root = ET.Element(
            "svg",
            {
                "viewBox": f"0 0 {number(width)} {number(height)}",
                "width": number(width),
                "height": number(height),
                "role": "img",
                "aria-labelledby": f"{identity}-t {identity}-d",
            },
        )
        ET.SubElement(self._root, "title", {"id": f"{identity}-t"}).text = visible(title)
        ET.SubElement(self._root, "desc", {"id": f"{identity}-d"}).text = visible(about)

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, points: list[tuple[float, float]], kind: str) -> None:
        """A line through ``points``."""
        self._points("polyline", points, kind)

    def area(self, points: list[tuple[float, float]], kind: str) -> None:
        """The area that a line through ``points`` and back to the first one encloses."""
        self._points("polygon", points, kind)

    def box(
        self, x: float, y: float, width: float, height: float, *, kind: str, tip: str = ""
    ) -> None:
        """A rectangle; ``tip`` is shown to those who point at it."""
        self._tip(self._add("rect", kind, x=x, y=y, width=max(width, 0.0), height=height), tip)

    def dot(self, x: float, y: float, radius: float, kind: str, tip: str = "") -> None:
        """A circle."""
        self._tip(self._add("circle", kind, cx=x, cy=y, r=radius), tip)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """One line of text; ``y`` is its base line."""
        element = self._add("text", kind, x=x, y=y)
        if anchor != "start":
            element.set("text-anchor", anchor)
        element.text = visible(text)

    def source(self) -> str:
        """The SVG as it stands in a page; every text in it is escaped."""
        return ET.tostring(self._root, encoding="unicode")

    def _add(self, tag: str, kind: str, **numbers: float) -> ET.Element:
        attributes = {key: number(value) for key, value in numbers.items()}
        return ET.SubElement(self._root, tag, {"class": kind, **attributes} if kind else attributes)

    def _points(self, tag: str, points: list[tuple[float, float]], kind: str) -> None:
        found = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        ET.SubElement(self._root, tag, {"class": kind, "points": found})

    @staticmethod
    def _tip(element: ET.Element, tip: str) -> None:
        if tip:
            ET.SubElement(element, "title").text = visible(tip)


def number(value: float) -> str:
    """A coordinate: one decimal is finer than any screen."""
    return f"{round(value, 1):g}" if abs(value) < 10**5 else str(round(value))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide ``text`` is in the fonts of screens, rather more than less."""
    size *= 1.12 if bold else 1.0
    shares = (
        _WIDE_SHARE if c in _WIDE or ord(c) > 0x2FF else _SHARE[c in _NARROW] for c in visible(text)
    )
    return size * sum(shares)


def shortened(text: str, width: float, size: float) -> str:
    """``text``, its middle left out where it would be wider than ``width``."""
    seen = visible(text)
    if text_width(seen, size) <= width:
        return seen
    keep = len(seen)
    while (
        keep > 2 and text_width(f"{seen[: keep - keep // 2]}…{seen[-(keep // 2) :]}", size) > width
    ):
        keep -= 1
    return f"{seen[: keep - keep // 2]}…{seen[-(keep // 2) :]}"


def wrapped(text: str, width: float, size: float, most: int = 3) -> list[str]:
    """``text`` in lines of at most ``width``, at most so many; a word that is too long is cut."""
    lines: list[str] = []
    for word in visible(text).split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, width, size))
    return [*lines[: most - 1], f"{lines[most - 1]} …"] if len(lines) > most else lines
