"""One thread for numerical libraries: two of them on a busy machine wait for each other longer than they compute."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
