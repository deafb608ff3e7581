"""What all tests share: one thread for numerical libraries, and a Ctrl-C that is heard."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

# NOTE: before any of them is imported. Shapes and types of arrays are checked at run time here, and nowhere else.
install_import_hook(["gnas.canonical"], "beartype.beartype")

# Two threads on a busy machine wait for each other longer than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Shells start background jobs with Ctrl-C ignored, which processes inherit; tests must not depend on that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache of featurised data for all tests of a module, away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield
