"""Trained models made smaller: `python bench/shrink.py --data FOLDER [--reduce n_params=0.5] [--tasks xrays,beats]`.

For each task and seed: the network is trained, its validation score is the mark. Then it is made smaller in
several ways, each of which trains for the same number of epochs. `ours`, by `gnas.autospace.shrink`, asked for a share
of a cost, sees the training part and the part set aside for the search; `h2spg` is the same with the method of ASGNAS;
`inherited` is a search by evolution over sub-networks with inherited weights, judged on the part set aside, of which
the best is trained. They are compared with random valid sub-networks of as many parameters and with the same share of
every width, weights inherited. The table gives
validation scores, mean ± standard deviation over seeds; for random sub-networks each seed counts with the mean of its
draws. `--reduce latency=0.6` asks for a share of the measured latency instead. Latency is that of ONNX Runtime on one
thread for one example, beside the whole network's in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real import SUPERNETS, TASKS, Task
from real.latency import latency_ratio
from real.rivals import SLACK, n_params, random_row, uniform_row
from real.task import evaluate, train
from torch import nn

from gnas.autospace import AutoSpace, shrink, space_from_model
from gnas.autospace.h2spg import H2SPG
from gnas.autospace.inherited import search_inherited
from gnas.autospace.job import Method
from gnas.autospace.redundancy import Redundancy
from gnas.autospace.shrink import every_width

FINE_TUNE_RATE = 0.5
"""Factor on the learning rate of whatever is trained after the whole network."""
SHARE_OF_EPOCHS = 0.5
"""Epochs of making smaller, or of a rival's fine-tune, as a share of the whole network's."""
METHODS: Mapping[str, Method] = {"ours": Redundancy(), "h2spg": H2SPG()}
WAYS = (*METHODS, "inherited", "random", "uniform")
TRIALS = 100
"""Candidates of the search over inherited weights."""
STATISTICS = 4
"""Training batches by which their batch normalisation is estimated."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One network of a task and seed.

    Attributes:
        task, seed, way: Which; ways are `whole` and those of `--ways`.
        n_params: Trainable numbers.
        latency: Share of the whole network's.
        epochs: Trained after the whole network's training.
        seconds: CPU seconds of search and training.
        scores: On the validation part, the first one is compared.
    """

    task: str
    seed: int
    way: str
    n_params: int
    latency: float
    epochs: int
    seconds: float
    scores: Mapping[str, float]


@dataclass(slots=True)
class Trainer:
    """Trains modules for a task and counts the epochs."""

    task: Task
    epochs: int = 0

    def __call__(self, module: nn.Module, epochs: int, seed: int) -> None:
        """Trains in place at the rate of a fine-tune."""
        self.epochs += epochs
        train(self.task, module, epochs, seed, rate=FINE_TUNE_RATE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, or JSON."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    outcomes = _kept(options.out)
    for name in options.tasks.split(","):
        task = {**TASKS, **SUPERNETS}[name](options.data)
        for seed in range(options.seeds):
            if not any((outcome.task, outcome.seed) == (task.name, seed) for outcome in outcomes):
                new = run(task, seed, options.reduce, options.draws, options.ways.split(","), options.block)
                outcomes += new
                _keep(options.out, new)
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        print(table(outcomes))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with imaging/, sensors/, molecules/")
    names = ", ".join((*TASKS, *SUPERNETS))
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"of {names}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=3, help="random sub-networks a seed")
    parser.add_argument("--ways", default="ours,random,uniform", help=f"of {', '.join(WAYS)}; ours or h2spg is needed")
    parser.add_argument("--out", type=Path, help="file that keeps outcomes, so that a run that was cut off goes on")
    parser.add_argument("--reduce", type=_share, default=("n_params", 0.5), help="a cost and the share to be left")
    parser.add_argument("--block", type=int, default=1, help="of ours: widths stay multiples of it where they can")
    parser.add_argument("--json", action="store_true")
    return parser


def _share(text: str) -> tuple[str, float]:
    cost, share = text.split("=")
    return cost, float(share)


def _kept(file: Path | None) -> list[Outcome]:
    if file is None or not file.exists():
        return []
    return [Outcome(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _keep(file: Path | None, outcomes: Sequence[Outcome]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as opened:
            opened.writelines(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)


def run(task: Task, seed: int, reduce: tuple[str, float], draws: int, ways: Sequence[str], block: int) -> list[Outcome]:
    """One seed of a task: the whole network and its rivals at one size; ours comes first, the others take its size."""
    whole, started = task.fresh(seed), time.process_time()
    train(task, whole, task.epochs, seed)
    outcomes = [_outcome(task, seed, "whole", whole, whole, 0, started)]
    for way in [way for way in METHODS if way in ways]:
        trainer, started = Trainer(task), time.process_time()
        module = _shrunk(trainer, whole, METHODS[way], reduce, seed, block)
        outcomes.append(_outcome(task, seed, way, whole, module, trainer.epochs, started))
    size, epochs = outcomes[1].n_params, outcomes[1].epochs
    space = every_width(space_from_model(whole, task.example(), {}))
    if "inherited" in ways:
        started, module = time.process_time(), _inherited(task, space, size, seed)
        train(task, module, epochs, seed, rate=FINE_TUNE_RATE)
        outcomes.append(_outcome(task, seed, "inherited", whole, module, epochs, started))
    rng = np.random.default_rng(seed)
    rows = [("uniform", uniform_row(space, size))] if "uniform" in ways else []
    rows += [("random", random_row(space, size, rng)) for _ in range(draws if "random" in ways else 0)]
    for way, row in rows:
        started, module = time.process_time(), space.build(space.decode(row))
        train(task, module, epochs, seed, rate=FINE_TUNE_RATE)
        outcomes.append(_outcome(task, seed, way, whole, module, epochs, started))
    return outcomes


def _shrunk(
    trainer: Trainer, whole: nn.Module, method: Method, reduce: tuple[str, float], seed: int, block: int
) -> nn.Module:
    """What `shrink` leaves of the network; it looks at the score of the part set aside."""
    task = trainer.task
    return shrink(
        whole,
        task.example(),
        {},
        train=trainer,
        evaluate=partial(_searched, task),
        reduce=dict([reduce]),
        seed=seed,
        epochs=round(task.epochs * SHARE_OF_EPOCHS),
        method=method,
        timed=(task.example(1), {}),
        block=block,
    ).module


def _inherited(task: Task, space: AutoSpace, size: int, seed: int) -> nn.Module:
    """The best of a search over sub-networks of at most `size` parameters, untrained."""
    data, rng = task.parts["train"], np.random.default_rng(seed)
    rows = [torch.from_numpy(rng.choice(len(data), task.batch_size, replace=False)) for _ in range(STATISTICS)]
    batches = [(data.batch(r).arguments, dict[str, Any]()) for r in rows]
    limits = {"n_params": float(size) * (1 + SLACK)}
    evaluate = partial(_searched, task)
    return search_inherited(space, evaluate, batches, limits=limits, trials=TRIALS, seed=seed).module


def _searched(task: Task, module: nn.Module) -> float:
    """The score that is compared, of the part set aside for the search."""
    return next(iter(evaluate(task, module, "search").values()))


def _outcome(
    task: Task, seed: int, way: str, whole: nn.Module, module: nn.Module, epochs: int, started: float
) -> Outcome:
    seconds = time.process_time() - started
    scores = dict(evaluate(task, module, "validation"))
    latency = latency_ratio(module, whole, task.example(1))
    found = Outcome(task.name, seed, way, n_params(module), latency, epochs, seconds, scores)
    told = ", ".join(f"{name} {score:.4f}" for name, score in scores.items())
    size = f"{found.n_params} parameters, {latency:.2f} of the time"
    print(f"{task.name}, seed {seed}, {way}: {size}, {epochs} epochs, {seconds:.0f} s, {told}", file=sys.stderr)
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Mean ± standard deviation over seeds of each score; what is left: ours, random, uniform."""
    ways = [way for way in WAYS if any(outcome.way == way for outcome in outcomes)]
    columns = ("task, score", "seeds", "whole", *ways, "parameters left", "latency left", "epochs")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for task in dict.fromkeys(outcome.task for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.task == task]
        smaller = [[o for o in own if o.way == way] for way in ways]
        left = ", ".join(f"{statistics.fmean(o.n_params for o in some) / own[0].n_params:.1%}" for some in smaller)
        latency = ", ".join(f"{statistics.fmean(o.latency for o in some):.1%}" for some in smaller)
        epochs = statistics.fmean(o.epochs for o in smaller[0])
        seeds = len({outcome.seed for outcome in own})
        for score in own[0].scores:
            cells = [_spread(own, way, score) for way in ("whole", *ways)]
            lines.append(f"| {task}, {score} | {seeds} | {' | '.join(cells)} | {left} | {latency} | {epochs:.0f} |")
    return "\n".join(lines)


def _spread(outcomes: Sequence[Outcome], way: str, score: str) -> str:
    seeds = dict.fromkeys(outcome.seed for outcome in outcomes)
    values = [statistics.fmean(o.scores[score] for o in outcomes if (o.way, o.seed) == (way, seed)) for seed in seeds]
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.3f}"


if __name__ == "__main__":
    sys.exit(main())
