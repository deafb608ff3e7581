"""What the user takes away: plain source, weights, ONNX and `torch.export` files, each compared with the model."""

from gnas.export.best import export_best
from gnas.export.joint import export_ensemble
from gnas.export.report import FORMATS, TOLERANCE, ExportReport, Format, Origin

__all__ = ["FORMATS", "TOLERANCE", "ExportReport", "Format", "Origin", "export_best", "export_ensemble"]
