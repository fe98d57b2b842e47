"""Any figure as SVG, for a wide screen and for a telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from micronet.reports.figures.bars import draw_bars, draw_profile, draw_waterfall
from micronet.reports.figures.curves import draw_curves
from micronet.reports.figures.scatter import draw_scatter
from micronet.reports.figures.spec import Bars, Curves, Profile, Scatter, Waterfall

if TYPE_CHECKING:
    from micronet.reports.figures.spec import Figure

WIDE: Final = 544.0
NARROW: Final = 340.0


def draw(figure: Figure, width: float) -> str:
    """The SVG of ``figure``, laid out for ``width`` pixels; safe in a page as it is."""
    match figure:
        case Scatter():
            return draw_scatter(figure, width)
        case Bars():
            return draw_bars(figure, width)
        case Profile():
            return draw_profile(figure, width)
        case Waterfall():
            return draw_waterfall(figure, width)
        case Curves():
            return draw_curves(figure, width)
    raise TypeError(f"{type(figure).__name__} is no figure that can be drawn")
