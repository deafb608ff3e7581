"""Ray: a two-worker local cluster gives the study that this process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gnas.errors import MissingExtraError
from gnas.evaluate.candidate import CandidateWork
from gnas.evaluate.job import Job
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Evaluation
from gnas.executors.ray import RayExecutor
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask


def test_without_ray_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    space = ToySpace()
    executor: RayExecutor[Job, Evaluation] = RayExecutor(CandidateWork(space, ToyTask.make(), OBJECTIVE))
    architecture = space.decode(space.encode({"depth": 1, "width": 4, "op.1": "relu"}))
    with pytest.raises(MissingExtraError, match=r"gnas\[ray\]"):
        executor.submit(Job(0, architecture, Recipe()))


# Ray leaves processes and sockets to the end of the interpreter, whose warnings would be ours: it gets one of its own.
_STUDY = """
import sys
from dataclasses import replace
from pathlib import Path
import ray
from gnas.run import run
from gnas.study import JOURNAL, read_evaluations
from gnas.testing.toy import ToySpace, toy_problem

folder = Path(sys.argv[1])
for attempt in range(3):  # A busy machine may take longer to start a node than Ray waits.
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        break
    except Exception:
        ray.shutdown()
final = {"finalists": 1, "seeds": 2, "default_network": False, "baselines": []}
problem = toy_problem(ToySpace(ops=("relu", "raises")), final=final)
here = run(problem, folder / "here", executor="inline")
there = run(problem, folder / "there", executor="ray", workers=1)
for name in ("search", "random"):
    a, b = (
        [replace(e, seconds=0.0, cpu_seconds=0.0) for e in read_evaluations(folder / out / JOURNAL, name)]
        for out in ("here", "there")
    )
    assert a == b, (a, b)
    assert len(a) == 8 and any(e.status == "failed" for e in a)
rows = [[(r.name, r.seed, r.validation, r.test) for r in results.finals] for results in (here, there)]
assert rows[0] == rows[1], rows
assert ray.is_initialized(), "a cluster that was there before is left running"
print("equal")
"""

_WORKERS = """
from gnas.evaluate.candidate import CandidateWork
from gnas.evaluate.limits import Limits
from gnas.evaluate.recipe import Recipe
from gnas.executors import make_executor
from gnas.evaluate.job import Job
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask

space, task = ToySpace(ops=("relu", "fatal")), ToyTask.make().sealed()
work = CandidateWork(space, task, OBJECTIVE)
executor = make_executor("ray", work, workers=2, limits=Limits())
jobs = [
    Job(i, space.decode(space.encode({"depth": 1, "width": width, "op.1": op})), Recipe(epochs=2))
    for i, (width, op) in enumerate([(4, "relu"), (8, "relu"), (8, "fatal")])
]
done, waiting, flying = {}, list(jobs), 0
while len(done) < len(jobs):
    while waiting and flying < executor.slots:
        executor.submit(waiting.pop(0))
        flying += 1
    for evaluation in executor.wait(1.0):
        done[evaluation.number] = evaluation
        flying -= 1
executor.close()
assert done[0].values == work.run(jobs[0]).values and done[1].values == work.run(jobs[1]).values
assert done[2].status == "failed" and done[2].reason.startswith("worker died ("), done[2]
assert executor.cpu_seconds > 0
import ray
assert not ray.is_initialized(), "a cluster that was started here is ended"
print("equal")
"""


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
@pytest.mark.parametrize("driver", [_STUDY, _WORKERS], ids=["study", "workers"])
def test_two_worker_cluster(driver: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    script = tmp_path / "driver.py"
    script.write_text(driver)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0 and done.stdout.strip().endswith("equal"), done.stderr[-3000:]
