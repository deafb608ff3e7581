"""The published spaces, by exact counts."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from gnas.space import load_space
from gnas.space.info import describe

DATA = Path(os.environ.get("GNAS_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "nas").is_dir(), reason=f"no benchmark tables in {DATA}")


def test_nasbench201() -> None:
    facts = describe(load_space("nasbench201"))
    assert (facts["assignments"], facts["labelled_graphs"], facts["architectures"]) == (15_625, 9_445, 8_765)


def test_nasbenchgraph() -> None:
    facts = describe(load_space("nasbenchgraph"))
    assert facts["architectures"] == 26_206


def test_darts() -> None:
    facts = describe(load_space("darts"))
    assert facts["cells"] == {"normal": 1_037_664_180, "reduction": 1_037_664_180}
    assert facts["assignments"] == 1_037_664_180**2


def test_nasbench101_with_few_edges() -> None:
    """The same code as for the whole space, on at most three inner nodes, against brute force over matrices."""
    restrict = {f"cell.{i}->{j}": [False] for i in range(4, 6) for j in range(i + 1, 6)}
    restrict |= {f"cell.{i}->{j}": [False] for j in (4, 5) for i in range(j) if f"cell.{i}->{j}" not in restrict}
    restrict |= {"cell.4->out": [False], "cell.5->out": [False]}
    facts = describe(load_space("nasbench101", restrict))
    assert facts["architectures"] == _brute_force_cells(3)


def _brute_force_cells(inner: int) -> int:
    """Classes of cells with at most `inner` labelled nodes, all on a path from end to end, and nine edges at most."""
    found = set()
    for size in range(inner + 1):
        ends = size + 1
        pairs = list(itertools.combinations(range(size + 2), 2))
        for bits in itertools.product([0, 1], repeat=len(pairs)):
            edges = {p for p, b in zip(pairs, bits, strict=True) if b}
            ahead, back = {0}, {ends}
            for j in range(1, size + 2):
                ahead |= {j} if any((i, j) in edges for i in ahead) else set()
            for i in range(size, -1, -1):
                back |= {i} if any((i, j) in edges for j in back) else set()
            if len(ahead & back) < size + 2 or len(edges) > 9:
                continue
            for ops in itertools.product("abc", repeat=size):
                found.add(min(_written(edges, ops, order) for order in itertools.permutations(range(1, size + 1))))
    return len(found)


def _written(edges: set[tuple[int, int]], ops: tuple[str, ...], order: tuple[int, ...]) -> str:
    place = {0: 0, len(ops) + 1: len(ops) + 1, **{old: new + 1 for new, old in enumerate(order)}}
    return repr((sorted((place[i], place[j]) for i, j in edges), [ops[o - 1] for o in order]))


@pytest.mark.slow
def test_nasbench101() -> None:
    assert describe(load_space("nasbench101"))["architectures"] == 423_624


@needs_data
@pytest.mark.integration
def test_nasbenchgraph_is_the_published_table() -> None:
    """Every row of the table is an architecture here, no two rows are one, and none is missing."""
    space = load_space("nasbenchgraph")
    with gzip.open(DATA / "nas" / "nasbenchgraph.csv.gz", "rt") as file:
        table = list(csv.DictReader(file))
    rows = np.empty((len(table), len(space.choices)), dtype=np.int16)
    for column, choice in enumerate(space.choices):
        node = int(choice.name.split(".")[1])
        key = choice.name.endswith("inputs")
        texts = [r["link"].zfill(4)[node - 1] if key else r[f"op{node}"].replace("skip", "identity") for r in table]
        rows[:, column] = [choice.values.index(t) for t in texts]
    assert space.contains_codes(rows).all()
    digests = np.unique(space.digests(rows))
    everything = np.unique(np.concatenate([np.unique(space.digests(c)) for c in space.iterate_codes()]))
    assert len(digests) == len(rows) == 26_206
    assert (digests == everything).all()


@needs_data
@pytest.mark.integration
def test_nasbench201_is_the_published_table() -> None:
    space = load_space("nasbench201")
    with gzip.open(DATA / "nas" / "nasbench201.csv.gz", "rt") as file:
        texts = [row["arch_str"] for row in csv.DictReader(file)]
    rows = []
    for text in texts:
        assignment: dict[str, str] = {}
        for reader, node in enumerate(text.split("+"), 1):
            for edge in node.strip("|").split("|"):
                op, source = edge.split("~")
                assignment[f"cell.{source}->{reader}"] = op
        rows.append(space.encode(assignment))
    assert len(np.unique(np.stack(rows), axis=0)) == 15_625
    assert len(np.unique(space.digests(np.stack(rows)))) == 8_765


@needs_data
@pytest.mark.integration
def test_nasbench101_graphs_are_all_different() -> None:
    """A sample of the published graphs: each is in the space, and no two are one."""
    data = np.load(DATA / "nas" / "nasbench101.npz", allow_pickle=False)
    space = load_space("nasbench101")
    names = {c.name: k for k, c in enumerate(space.choices)}
    picked = np.random.default_rng(0).choice(len(data["ops"]), 20_000, replace=False)
    codes = np.zeros((len(picked), len(space.choices)), dtype=np.int16)
    upper = np.unpackbits(data["adj_upper"][picked], axis=1)[:, :21]
    sizes = data["n_vertices"][picked].astype(int)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        for place, (i, j) in enumerate(itertools.combinations(range(size), 2)):
            reader = "out" if j == size - 1 else str(j)
            codes[rows, names[f"cell.{i}->{reader}"]] = upper[rows, place]
        for node in range(1, size - 1):
            codes[rows, names[f"cell.{node}"]] = data["ops"][picked][rows, node - 1]
    assert space.contains_codes(codes).all()
    assert len(np.unique(space.digests(codes))) == len(picked)
