from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gnas.errors import DataError, SpaceError
from gnas.screening.pool import CHUNK, FilePool, Pool, SampledPool, Sieve, WholePool, make_pool
from gnas.space import Codes, Space, load_space
from tests.screening.samples import some_codes, space, write_codes


def rows(pool: Pool) -> Codes:
    return np.concatenate([call().codes for call in pool.chunks()])


def test_a_number_samples_reproducibly() -> None:
    darts = load_space("darts")
    pool = make_pool(darts, "20000", seed=3)
    assert isinstance(pool, SampledPool)
    found = rows(pool)
    assert len(found) == 20_000 == pool.size
    assert darts.contains_codes(found).all()
    assert (found == rows(make_pool(darts, "2e4", seed=3))).all()
    assert (found != rows(make_pool(darts, "20_000", seed=4))).any()
    # A longer pool begins as the shorter one.
    assert (rows(make_pool(darts, "30000", seed=3))[:CHUNK] == found[:CHUNK]).all()


@pytest.mark.parametrize("asked", ["all", "288", "1e6"])
def test_a_space_no_larger_than_the_number_is_taken_whole(asked: str) -> None:
    pool = make_pool(space(), asked, seed=0)
    assert isinstance(pool, WholePool)
    assert len({row.tobytes() for row in rows(pool)}) == 288 == pool.size


def test_a_file(tmp_path: Path) -> None:
    codes = some_codes(30)
    path = write_codes(tmp_path / "pool.csv", space(), codes, {"proxy": range(30)})
    assert (rows(make_pool(space(), str(path), seed=0)) == codes).all()
    pool = make_pool(space(), str(path), seed=0, extra=("proxy",))
    chunk = next(pool.chunks())()
    assert chunk.extra is not None
    assert chunk.extra[:, 0].tolist() == list(range(30))
    glimpsed = pool.glimpse(7, np.random.default_rng(0))
    assert len(glimpsed.codes) == 7
    assert glimpsed.extra is not None
    assert (codes[glimpsed.extra[:, 0].astype(int)] == glimpsed.codes).all()


@pytest.mark.parametrize(
    ("one", "asked", "extra", "error", "words"),
    [
        ("darts", "all", (), SpaceError, "give a number to sample"),
        ("darts", "0", (), DataError, "empty pool"),
        ("darts", "-5", (), DataError, "empty pool"),
        ("darts", "some", (), DataError, "neither a number"),
        ("darts", "1.5", (), DataError, "neither a number"),
        ("darts", "100", ("proxy",), DataError, "which only a file has"),
    ],
)
def test_what_is_no_pool(one: str, asked: str, extra: tuple[str, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_pool(load_space(one), asked, seed=0, extra=extra)


@pytest.mark.parametrize(("cell", "words"), [("", "line 2, column 'proxy'.*empty"), ("x", "not a number")])
def test_an_extra_column_with_gaps(tmp_path: Path, cell: str, words: str) -> None:
    path = write_codes(tmp_path / "pool.csv", space(), some_codes(1), {"proxy": [cell]})
    with pytest.raises(DataError, match=words):
        FilePool.read(space(), path, ("proxy",))


def _sieve(one: Space) -> Sieve:
    return Sieve(len(one.choices))


def test_a_sieve_passes_every_row_once() -> None:
    sieve, rng = _sieve(space()), np.random.default_rng(0)
    known: set[bytes] = set()
    for _ in range(120):
        codes = space().sample_codes(rng, 25)
        fresh = sieve.fresh(sieve.keys(codes))
        first = [i for i, row in enumerate(codes) if row.tobytes() not in {*known, *(r.tobytes() for r in codes[:i])}]
        assert fresh.tolist() == first
        known.update(row.tobytes() for row in codes)
    assert len(known) == 288


def test_a_sieve_with_live_choices_takes_dead_parts_for_equal() -> None:
    one = load_space("nasbench201")
    codes = np.concatenate([*one.iterate_codes()])
    sieve = Sieve(len(one.choices), one.live_choices)
    # The number of labelled graphs once dead nodes are pruned, none of the empty cell's twins counted twice.
    assert len(sieve.fresh(sieve.keys(codes))) == 9445
