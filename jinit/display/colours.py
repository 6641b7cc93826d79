"""Colours of figures' curves, legible on light and on dark.

May import: the standard library.
"""

__all__ = ["COLOURS", "GREY"]

# Okabe and Ito's colours that stand out from white and from black, then two more.
COLOURS = (
    "#0080C8",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#C79A00",
    "#56B4E9",
    "#8C6BB1",
    "#8A8A8A",
)
GREY = "0.5"
