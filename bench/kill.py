"""kill -9 at random moments of a running search, then the same command again: nothing finished is lost.

Run `python bench/kill.py --kills 20`. It compares a killed and continued run with a straight one, on the toy task, in
one worker: every evaluation finished before a kill is still there after it, and the final proposals and values equal
those of the straight run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from gnas.evaluation import Evaluation
from gnas.study import JOURNAL, read_evaluations

_DRIVER = """
import sys
from pathlib import Path
from gnas.run import run
from gnas.testing.toy import toy_problem

if __name__ == "__main__":
    problem = toy_problem(
        budget={"trials": int(sys.argv[2])},
        search={"algorithm": sys.argv[3]},
        recipe={"epochs": int(sys.argv[4])},
        final={"finalists": 1, "seeds": 2, "default_network": False},
    )
    run(problem, Path(sys.argv[1]), workers=1, executor=sys.argv[5])
"""


def main() -> None:
    """Prints what was found; exit code 1 where something was lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--algorithm", default="evolution")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--executor", default="inline", choices=("inline", "processes"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = kill_and_continue(
            Path(folder),
            kills=options.kills,
            trials=options.trials,
            algorithm=options.algorithm,
            epochs=options.epochs,
            executor=options.executor,
            seed=options.seed,
        )
    print(report)


def kill_and_continue(
    folder: Path,
    *,
    kills: int,
    trials: int,
    algorithm: str = "evolution",
    epochs: int = 150,
    executor: str = "inline",
    seed: int = 0,
) -> str:
    """Runs straight, then with kills, and compares.

    Three kills in four come within milliseconds of a record being written, one to four records after the start; the
    others anywhere in the time a straight run takes, so that they hit starts and the final stage too.

    Raises:
        AssertionError: An evaluation was lost, or the runs differ.
    """
    arguments = (str(trials), algorithm, str(epochs), executor)
    straight, killed = folder / "straight", folder / "killed"
    started = time.monotonic()
    _finish(straight, arguments)
    seconds = time.monotonic() - started
    rng = random.Random(seed)
    moments: list[int] = []
    after: tuple[Evaluation, ...] = ()
    for _ in range(kills):
        before = _known(killed)
        process = _start(killed, arguments)
        _wait_for_moment(process, killed, rng, seconds)
        finished = process.poll() is not None
        process.kill()
        process.wait()
        after = _known(killed)
        if after[: len(before)] != before:
            raise AssertionError(f"a kill lost evaluations: {len(before)} before, {len(after)} after")
        moments.append(len(after))
        if finished:
            break
    _finish(killed, arguments)
    final, wanted = _known(killed), _known(straight)
    if [_content(e) for e in final] != [_content(e) for e in wanted]:
        raise AssertionError("the killed run's evaluations differ from the straight run's")
    if final[: len(after)] != after:
        raise AssertionError("an evaluation finished before the last kill was made again")
    _compare_finals(straight, killed)
    return (
        f"{len(moments)} kills -9 in a run of {seconds:.1f} s, after {moments} evaluations: nothing lost, "
        f"{len(final)} proposals and values equal those of the straight run"
    )


def _wait_for_moment(process: subprocess.Popen[bytes], out: Path, rng: random.Random, seconds: float) -> None:
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0.0, seconds))
        return
    target = _lines(out) + rng.randint(1, 4)
    while process.poll() is None and _lines(out) < target:
        time.sleep(0.001)
    time.sleep(rng.uniform(0.0, 0.03))


def _lines(out: Path) -> int:
    journal = out / JOURNAL
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _known(out: Path) -> tuple[Evaluation, ...]:
    """What is on disk, as any reader sees it: whole records only."""
    journal = out / JOURNAL
    if not journal.exists():
        return ()
    whole = journal.read_bytes()
    copy = out.parent / f"{out.name}.copy"
    copy.write_bytes(whole[: whole.rfind(b"\n") + 1])
    return (*read_evaluations(copy, "search"), *read_evaluations(copy, "random"))


def _content(evaluation: Evaluation) -> Evaluation:
    """An evaluation without its timings."""
    return replace(evaluation, seconds=0.0, cpu_seconds=0.0)


def _compare_finals(straight: Path, killed: Path) -> None:
    from gnas.results import RunResults

    rows = []
    for out in (straight, killed):
        results = RunResults.from_json((out / "results.json").read_bytes())
        rows.append([(r.kind, r.name, r.seed, r.digest, dict(r.validation), dict(r.test)) for r in results.finals])
    if rows[0] != rows[1]:
        raise AssertionError("the final rows differ")


def _start(out: Path, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER, str(out), *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _finish(out: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(out), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the run failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
