"""What runs in a worker process: receives the work once, then runs one job after another until the parent is gone."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import warnings
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


WORK, JOB = b"W", b"J"
"""First byte of what the parent sends; a pickle follows."""


def serve(pipe: Connection) -> None:
    """Serves jobs from `pipe`: `hello`, the work, `ready`, then jobs and results, or another work and `ready` again.

    Messages to the parent are tuples whose first item names them: `("hello",)`, `("ready", resident bytes, CPU
    seconds)`, `("result", result, CPU seconds)`, and `("broken", reason)` where the work cannot be loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides what Ctrl-C means.
    # One thread a worker is what we want; joblib need not warn that it falls back to it.
    warnings.filterwarnings("ignore", message="Loky-backed parallel loops")
    threading.Thread(target=_die_with_parent, daemon=True).start()
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    try:
        pipe.send(("hello",))
        work: Any = None
        while True:
            message = pipe.recv_bytes()
            if message[:1] == JOB:
                _reply(pipe, work, pickle.loads(message[1:]))
                continue
            work = None  # Freed before the next one is loaded.
            work = _load(pipe, message[1:])
            if work is None:
                return
            pipe.send(("ready", _resident(), time.process_time()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _load(pipe: Connection, pickled: bytes) -> Any:
    try:
        work = pickle.loads(pickled)
        work.prepare()
        return work
    except Exception as error:
        pipe.send(("broken", f"{type(error).__name__}: {error}"))
        return None


def _reply(pipe: Connection, work: Any, job: Any) -> None:
    start = time.perf_counter()
    try:
        message = pickle.dumps(("result", work.run(job), time.process_time()))
    except Exception as error:
        result = work.failed(job, f"{type(error).__name__}: {error}", time.perf_counter() - start)
        message = pickle.dumps(("result", result, time.process_time()))
    pipe.send_bytes(message)


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _die_with_parent() -> None:
    # NOTE: a worker in the middle of a training would not notice a closed pipe; a killed parent must leave no orphans.
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
