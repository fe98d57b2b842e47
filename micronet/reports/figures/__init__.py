"""Figures: what they show (``spec``, ``make``), drawn as inline SVG (``draw``) or as files (``files``)."""
