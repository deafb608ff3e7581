"""The ledger: wall-clock, CPU and energy of a run, summed over resumptions in `run.json`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gnas.runfolder import write_json, writing

LEDGER = "run.json"
_POWERCAP = Path("/sys/class/powercap")
_JOULES_PER_KWH = 3.6e6


class Ledger:
    """What a run has spent. Reading a stage's time is always up to date; `save` puts it on disk.

    Args:
        path: `run.json` of the run folder; continued where it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        held: dict[str, Any] = _read(path)
        self._stages: dict[str, float] = {str(k): float(v) for k, v in held.get("stages", {}).items()}
        self._cpu = float(held.get("cpu_seconds", 0.0))
        self._joules: float | None = held.get("joules")
        self.facts: dict[str, Any] = dict(held.get("facts", {}))
        self._stage, self._stage_start = "", time.perf_counter()
        self._cpu_start, self._external = time.process_time(), 0.0
        self._meter = EnergyMeter()

    @property
    def stages(self) -> dict[str, float]:
        """Wall-clock seconds by stage, the current one up to now."""
        stages = dict(self._stages)
        if self._stage:
            stages[self._stage] = stages.get(self._stage, 0.0) + time.perf_counter() - self._stage_start
        return stages

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the run, workers included."""
        return self._cpu + time.process_time() - self._cpu_start + self._external

    @property
    def energy_kwh(self) -> float | None:
        """Energy of the processor packages over the run, other programs included; None where it cannot be read."""
        measured = self._meter.joules()
        if measured is None:
            return None
        return ((self._joules or 0.0) + measured) / _JOULES_PER_KWH

    def seconds(self, stage: str) -> float:
        """Wall-clock seconds of one stage so far."""
        return self.stages.get(stage, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens inside to a stage."""
        self._stage, self._stage_start = name, time.perf_counter()
        try:
            yield
        finally:
            self._stages, self._stage = self.stages, ""
            self.save()

    def add_cpu_seconds(self, seconds: float) -> None:
        """Adds CPU seconds spent in other processes."""
        self._external += seconds

    def save(self) -> None:
        """Puts everything on disk.

        Raises:
            StudyError: It cannot be written.
        """
        energy = self.energy_kwh
        data = {
            "stages": self.stages,
            "cpu_seconds": self.cpu_seconds,
            "joules": None if energy is None else energy * _JOULES_PER_KWH,
            "facts": self.facts,
        }
        with writing(self._path, "everything evaluated is kept"):
            write_json(self._path, data)


class EnergyMeter:
    """Joules since it was made, from the RAPL counters of the processor packages."""

    def __init__(self, root: Path = _POWERCAP) -> None:
        self._counters: dict[Path, int] = {}
        self._total = 0
        for path in sorted(root.glob("intel-rapl:[0-9]*/energy_uj")):
            # Only packages: their parts (`intel-rapl:0:1`) are counted in them.
            value = _microjoules(path) if path.parent.name.count(":") == 1 else None
            if value is not None:
                self._counters[path] = value

    def joules(self) -> float | None:
        """Joules so far; None where no counter can be read. Call at least once a minute or so: counters wrap around."""
        if not self._counters:
            return None
        for path, before in self._counters.items():
            now = _microjoules(path)
            if now is None:
                continue
            wrap = _microjoules(path.with_name("max_energy_range_uj")) or 0
            self._total += now - before if now >= before else now - before + wrap
            self._counters[path] = now
        return self._total / 1e6


def _microjoules(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _read(path: Path) -> dict[str, Any]:
    # NOTE: the ledger is replaced whole, so a broken one was broken by hand; it holds nothing a run cannot do without.
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
