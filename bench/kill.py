"""kill -9 at random moments of a running search, then the same command again: nothing finished is lost.

Run `python bench/kill.py --kills 20`. It compares a killed and continued run with a straight one, both of them
`gnas run SPEC --out DIR` with one worker: every evaluation finished before a kill is still there after it, and the
final proposals, values and comparison equal those of the straight run. The spec is one of the toy task, whose space has
1,728 assignments, or any that `--spec` names and a number of trials ends.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gnas.evaluation import Evaluation
from gnas.results import RunResults
from gnas.study import JOURNAL, read_evaluations
from gnas.testing.toy_domain import install

_SPEC = """\
domain: toy
data: {{seed: 0}}
space: toy.yaml
search: {{algorithm: {algorithm}}}
budget: {{trials: {trials}}}
recipe: {{epochs: {epochs}}}
workers: 1
executor: {executor}
final: {{finalists: 1, seeds: 2, default_network: false}}
"""


def main() -> None:
    """Prints what was found; exit code 1 where something was lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--algorithm", default="bayes")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--executor", default="inline", choices=("inline", "processes"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spec", type=Path, help="a spec of your own, instead of the toy's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        toy = toy_spec(Path(folder), options.trials, options.algorithm, options.epochs, options.executor)
        spec, environment = toy if options.spec is None else (options.spec, {})
        print(kill_and_continue(Path(folder), spec, environment, kills=options.kills, seed=options.seed))


def toy_spec(
    folder: Path, trials: int, algorithm: str = "bayes", epochs: int = 40, executor: str = "inline"
) -> tuple[Path, Mapping[str, str]]:
    """A spec of the toy task in `folder`, and the environment in which the command line knows it."""
    path = folder / "spec.yaml"
    text = _SPEC.format(trials=trials, algorithm=algorithm, epochs=epochs, executor=executor)
    path.write_text(text, encoding="utf-8")
    return path, install(folder)


@dataclass(frozen=True, slots=True)
class Command:
    """`gnas run SPEC --out OUT` in its own process."""

    spec: Path
    out: Path
    environment: Mapping[str, str]

    def start(self) -> subprocess.Popen[str]:
        """Starts it."""
        return subprocess.Popen(
            [sys.executable, "-m", "gnas", "run", str(self.spec), "--out", str(self.out), "--workers", "1"],
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> None:
        """Runs it to its end.

        Raises:
            AssertionError: It failed.
        """
        process = self.start()
        _, told = process.communicate()
        if process.returncode:
            raise AssertionError(f"the run failed: {told[-2000:]}")


def kill_and_continue(folder: Path, spec: Path, environment: Mapping[str, str], *, kills: int, seed: int = 0) -> str:
    """Runs straight, then with kills, and compares.

    Three kills in four come within milliseconds of a record being written, one to four records after the start; the
    others anywhere in the first quarter of the time a straight run takes, so that they hit starts, too.

    Raises:
        AssertionError: An evaluation was lost, the runs differ, or the run ended before its last kill.
    """
    straight, killed = (Command(spec, folder / name, environment) for name in ("straight", "killed"))
    started = time.monotonic()
    straight.finish()
    seconds = time.monotonic() - started
    rng = random.Random(seed)
    moments: list[int] = []
    after: tuple[Evaluation, ...] = ()
    while len(moments) < kills:
        before = _known(killed.out)
        process = killed.start()
        _wait_for_moment(process, killed.out, rng, seconds)
        if process.poll() is not None:
            raise AssertionError(f"the run ended before kill {len(moments) + 1}: {process.communicate()[1][-2000:]}")
        process.kill()
        process.communicate()
        after = _known(killed.out)
        if after[: len(before)] != before:
            raise AssertionError(f"a kill lost evaluations: {len(before)} before, {len(after)} after")
        moments.append(len(after))
    killed.finish()
    final, wanted = _known(killed.out), _known(straight.out)
    if [_content(e) for e in final] != [_content(e) for e in wanted]:
        raise AssertionError("the killed run's evaluations differ from the straight run's")
    if final[: len(after)] != after:
        raise AssertionError("an evaluation finished before the last kill was made again")
    _compare_finals(straight.out, killed.out)
    return (
        f"{len(moments)} kills -9 in a run of {seconds:.1f} s, after {moments} evaluations: nothing lost, "
        f"{len(final)} proposals and values and the final rows equal those of the straight run"
    )


def _wait_for_moment(process: subprocess.Popen[str], out: Path, rng: random.Random, seconds: float) -> None:
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0.0, seconds / 4))
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
    rows = []
    for out in (straight, killed):
        results = RunResults.from_json((out / "results.json").read_bytes())
        rows.append([(r.kind, r.name, r.seed, r.digest, dict(r.validation), dict(r.test)) for r in results.finals])
    if rows[0] != rows[1]:
        raise AssertionError("the final rows differ")


if __name__ == "__main__":
    main()
