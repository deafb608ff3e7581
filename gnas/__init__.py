"""gnas: neural architecture search for people whose expertise is a science."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnas.autospace import space_from_model

__all__ = ["__version__", "space_from_model"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Tracing needs torch, which `gnas --help` does not wait for.
    if name == "space_from_model":
        from gnas.autospace import space_from_model

        return space_from_model
    raise AttributeError(f"module 'gnas' has no attribute {name!r}")
