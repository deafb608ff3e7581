"""What the parts of the predictor do: blocks of features, views, members, in and out, on the same draws.

Run `OMP_NUM_THREADS=1 python bench/ablation.py --data nasbench201.csv.gz --target cifar100_test_200ep --labels 78`.
The first row is Kendall's τ of the Gaussian processes on all blocks; the others are differences from it, paired by
draw, with the standard error of their mean. Rows `processes + …` mix latent means with fixed weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from peers.table import Labelled, labelled
from predictor import Draw, drawn

from gnas.predictors.crossval import tau
from gnas.predictors.features import FeatureExtractor, extractor_of_space
from gnas.predictors.gnn_member import EmbeddingMember, GnnMember
from gnas.predictors.members import Design, Member, ProcessMember
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian
from gnas.predictors.trees import TreeMember
from gnas.predictors.views import View

ALL = "processes, all blocks"
_VIEWS = {"alike": View(), "by spread": View(spread=1.0), "by relevance": View(relevance=1.0)}
_MIXES = (("extra trees", 0.2), ("boosting", 0.1), ("network", 0.2))


def main() -> None:
    """Prints a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a table, as of bench/predictor.py")
    parser.add_argument("--space", help="name or file of its space, where the table does not tell")
    parser.add_argument("--target", required=True, help="the column to predict")
    parser.add_argument("--labels", type=int, default=78)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--test-rows", type=int, default=1000, help="judge on so many random rows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = labelled(options.data, options.space, options.target, None)
    taus: dict[str, list[float]] = {}
    for number in range(options.draws):
        for name, found in judged(data, drawn(data, options.labels, options.test_rows, number)):
            taus.setdefault(name, []).append(found)
        print(f"draw {number} done", file=sys.stderr, flush=True)
    base = np.array(taus.pop(ALL))
    rows = {ALL: spread(base)} | {name: spread(np.array(found) - base) for name, found in taus.items()}
    if options.json:
        print(json.dumps({"target": options.target, "labels": options.labels, "draws": options.draws, "rows": rows}))
        return
    for i, (name, (mean, error)) in enumerate(rows.items()):
        print(f"{name:32s} {mean:{'+' if i else ''}.4f} ± {error:.4f}")


def spread(values: Vector) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def judged(data: Labelled, draw: Draw) -> Iterator[tuple[str, float]]:
    """τ of every variant on one draw."""
    extractor = extractor_of_space(data.space)
    z, truth = rank_gaussian(data.values[draw.seen]), data.values[draw.judged]
    x = extractor.features_of_codes(data.space, data.codes[np.concatenate([draw.seen, draw.judged])])
    codes = data.codes[np.concatenate([draw.seen, draw.judged])]
    whole = Design(x, extractor.slices, codes, extractor.spreads)
    seen, asked = np.arange(len(z)), np.arange(len(z), len(x))

    def predicted(member: Member, design: Design = whole) -> Vector:
        return member.fit(design.rows(seen), z).predict(design.rows(asked))[0]

    process = ProcessMember(seed=draw.number)
    base = predicted(process)
    yield ALL, tau(base, truth)
    for name in extractor.names:
        kept = tuple(other for other in extractor.names if other != name)
        yield f"without {name}", tau(predicted(process, only(whole, extractor, kept)), truth)
    yield "choices alone", tau(predicted(process, only(whole, extractor, ("choices",))), truth)
    for name, view in _VIEWS.items():
        yield f"one view: {name}", tau(predicted(replace(process, views=(view,))), truth)
    yield "processes with the embedding", tau(predicted(EmbeddingMember(data.space, draw.number)), truth)
    members: dict[str, Member] = {
        "extra trees": TreeMember("extra-trees", draw.number),
        "boosting": TreeMember("boosting", draw.number),
        "network": GnnMember(data.space, draw.number),
    }
    means = {name: predicted(member) for name, member in members.items()}
    for name, mean in means.items():
        yield f"{name} alone", tau(mean, truth)
    for name, weight in _MIXES:
        yield f"processes + {weight} {name}", tau(base + weight * means[name], truth)
    yield "processes + all three", tau(base + sum(weight * means[name] for name, weight in _MIXES), truth)


def only(design: Design, extractor: FeatureExtractor, names: tuple[str, ...]) -> Design:
    """The design with some of its blocks."""
    parts = [part for name, part in zip(extractor.names, extractor.slices, strict=True) if name in names]
    columns = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    ends = np.cumsum([0, *(part.stop - part.start for part in parts)]).tolist()
    slices = tuple(slice(start, end) for start, end in pairwise(ends))
    return Design(design.x[:, columns], slices, design.codes, extractor.spreads[columns])


if __name__ == "__main__":
    main()
