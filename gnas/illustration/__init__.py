"""Figures that a task draws of its predictions, for the report: a record, and drawings that several domains share."""

from gnas.illustration.classes import calibration_figure, confusion_figure
from gnas.illustration.figure import FIGURES, Figure, figures_json, read_figures
from gnas.illustration.numbers import agreement_figure
from gnas.illustration.pictures import Tile, gallery_figure
from gnas.illustration.plot import Line, Points, plot

__all__ = [
    "FIGURES",
    "Figure",
    "Line",
    "Points",
    "Tile",
    "agreement_figure",
    "calibration_figure",
    "confusion_figure",
    "figures_json",
    "gallery_figure",
    "plot",
    "read_figures",
]
