"""Any PyTorch model becomes a search space whose every sub-network runs."""

from gnas.autospace.from_model import AutoSpace, space_from_model, verify

__all__ = ["AutoSpace", "space_from_model", "verify"]
