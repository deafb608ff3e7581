"""Any PyTorch model becomes a search space whose every sub-network runs; trained ones are made smaller."""

from gnas.autospace.from_model import AutoSpace, space_from_model, verify
from gnas.autospace.shrink import Shrunk, shrink

__all__ = ["AutoSpace", "Shrunk", "shrink", "space_from_model", "verify"]
