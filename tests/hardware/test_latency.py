from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gnas.hardware.latency import Measurement, Meter, OnnxLatencyMeter
from gnas.hardware.pairing import Schedule, calibrate, median_interval, paired_ratios
from gnas.hardware.reference import reference_network, store_calibration, stored_calibration


class Machine:
    """A machine with a clock of its own, whose speed drifts and which is interrupted now and then."""

    def __init__(self, *, drift: float = 0.0, interruptions: float = 0.0, seed: int = 0) -> None:
        self.now = 0.0
        self._rng = np.random.default_rng(seed)
        self._drift, self._interruptions = drift, interruptions

    def clock(self) -> float:
        return self.now

    def work(self, seconds: float) -> Callable[[], None]:
        def call() -> None:
            slowness = 1.0 + self._drift * np.sin(self.now * 40.0) ** 2
            self.now += seconds * slowness
            if self._rng.random() < self._interruptions:
                self.now += 0.01

        return call


def test_ratios_are_exact_on_a_quiet_machine() -> None:
    machine = Machine()
    ratios = paired_ratios(machine.work(3e-3), machine.work(1e-3), machine.clock)
    assert ratios == pytest.approx(np.full(len(ratios), 3.0))


def test_drift_cancels_in_the_ratio_but_not_in_the_time() -> None:
    times, medians = [], []
    for start in range(8):
        machine = Machine(drift=1.0)
        machine.now = start * 0.05
        ratios = paired_ratios(machine.work(4e-4), machine.work(2e-4), machine.clock)
        medians.append(float(np.median(ratios)))
        before = machine.now
        machine.work(4e-4)()
        times.append(machine.now - before)
    assert np.ptp(medians) / np.mean(medians) < 0.02
    assert np.ptp(times) / np.mean(times) > 0.2


def test_interruptions_do_not_move_the_median() -> None:
    machine = Machine(interruptions=0.15)
    ratios = median_interval(paired_ratios(machine.work(2e-4), machine.work(1e-4), machine.clock))
    assert ratios.median == pytest.approx(2.0, rel=0.02)
    assert ratios.low <= ratios.median <= ratios.high


def test_measuring_ends_in_time_with_the_fewest_pairs() -> None:
    machine = Machine()
    schedule = Schedule(rounds=100, fewest=4, seconds=0.5)
    ratios = paired_ratios(machine.work(1.0), machine.work(1e-3), machine.clock, schedule)
    assert len(ratios) == 4


def test_the_two_take_turns_in_going_first() -> None:
    machine, order = Machine(), []

    def named(name: str, seconds: float) -> Callable[[], None]:
        work = machine.work(seconds)

        def call() -> None:
            order.append(name)
            work()

        return call

    schedule = Schedule(rounds=2, fewest=2, interleaved=2, warmup=0)
    paired_ratios(named("a", 1e-3), named("b", 1e-3), machine.clock, schedule)
    assert "".join(order[-8:]) in {"baababba", "abbabaab"}


def test_calibration_finds_the_undisturbed_time() -> None:
    machine = Machine(interruptions=0.1)
    assert calibrate(machine.work(2e-4), machine.clock) == pytest.approx(2e-4, rel=1e-6)


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        interval = median_interval(rng.exponential(size=31))
        covered += interval.low <= np.log(2) <= interval.high
    assert 0.93 <= covered / 400 <= 1.0


def test_the_interval_narrows_with_more_samples() -> None:
    rng = np.random.default_rng(1)
    few, many = (median_interval(rng.normal(10, 1, size=n)) for n in (15, 1500))
    assert many.high - many.low < 0.3 * (few.high - few.low)
    single = median_interval(np.array([2.0]))
    assert (single.low, single.median, single.high, single.n) == (2.0, 2.0, 2.0, 1)


def test_the_first_calibration_of_a_folder_stands(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert stored_calibration(folder) is None
    assert store_calibration(folder, 0.25) == 0.25
    assert store_calibration(folder, 0.5) == 0.25
    assert stored_calibration(folder) == 0.25
    (stored,) = folder.iterdir()
    assert "1 thread" in json.loads(stored.read_text(encoding="utf-8"))["device"]


def test_a_damaged_calibration_is_made_anew(tmp_path: Path) -> None:
    store_calibration(tmp_path, 0.25)
    (stored,) = tmp_path.iterdir()
    stored.write_text('{"millisec', encoding="utf-8")
    assert stored_calibration(tmp_path) is None
    assert store_calibration(tmp_path, 0.5) == 0.5


def test_the_reference_never_changes() -> None:
    state = torch.random.get_rng_state()
    network, example, _ = reference_network()
    again, _, _ = reference_network()
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        output = network(example["rows"], example["index"])
        assert torch.equal(output, again(example["rows"], example["index"]))
    assert sum(parameter.numel() for parameter in network.parameters()) == 49_728


QUICK = Schedule(rounds=9, fewest=5, seconds=0.05)


def test_a_real_measurement(tmp_path: Path) -> None:
    meter = OnnxLatencyMeter(tmp_path, schedule=QUICK)
    assert isinstance(meter, Meter)
    example, axes = {"x": torch.randn(16, 64)}, {"x": {0: "row"}}
    small = meter.measure(nn.Linear(64, 64), example, axes)
    large = meter.measure(nn.Sequential(*[nn.Linear(64, 64) for _ in range(60)]), example, axes)
    assert isinstance(small, Measurement)
    assert 0 < small.low <= small.median <= small.high
    assert large.median > 3 * small.median
    assert small.unit == "ms"
    assert set(small.as_values()) == {"latency_ms", "latency_low_ms", "latency_high_ms"}


def test_another_process_of_the_run_measures_in_the_same_unit(tmp_path: Path) -> None:
    store_calibration(tmp_path, 123.0)
    assert OnnxLatencyMeter(tmp_path, schedule=QUICK).reference_ms() == 123.0
