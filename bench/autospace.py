"""Spaces of any PyTorch models, all sub-networks tried: `python bench/autospace.py --zoo zoo.py [--models a,b]
[--peer]`.

A zoo is a file with `zoo() -> {name: (build, args, kwargs)}`. Each model is handled in a process of its own, with
limits on time and memory, without any hint: it is parsed, and random valid sub-networks and the smallest one are
built. Each runs at two sizes of input (another batch size, or another number of nodes and edges), in eval and in
training with a backward pass; its outputs must nest, be shaped and typed as the original's and gradients be finite;
and it must equal the original with the removed parts masked, to 1e-5 of its largest output, after `randomize_` of the
zoo gave normalisation layers and whatever starts at zero other values.

`--peer`: Torch-Pruning beside it, at its defaults and half of the channels, without and with the zoo's `hints()`
(output layers to leave alone, numbers of attention heads), and with our transform of nested outputs. It works on a
model where the pruned one has fewer parameters and answers the example with outputs of the same form; `everywhere`
counts those that also pass the other size and training.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from anymodel.table import Row, ours_table, peer_table, summary

WHO = ("ours", "peer", "peer with hints")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; exit code 1 where a space was made of which a sub-network failed."""
    options = _parser().parse_args(arguments)
    sys.path.extend(str(folder) for folder in options.path)
    if options.one is not None:
        _one(options)
        return 0
    names = options.models.split(",") if options.models else _names(options)
    rows: dict[str, list[Row]] = {who: [] for who in (WHO if options.peer else WHO[:1])}
    for name in names:
        for who, found in rows.items():
            found.append(_known(options.out, name, who) or _apart(options, name, who))
            _keep(options.out, who, found[-1])
            print(f"{who}: {name}: {found[-1].get('error') or 'done'}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(rows))
    else:
        print(ours_table(rows["ours"]))
        print(summary(rows["ours"]))
        if options.peer:
            print(peer_table(rows["peer"], rows["peer with hints"]))
    return int(any(not row["error"] and row["tried"] != min(row["ran"], row["equal"]) for row in rows["ours"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True, help="file with the models")
    parser.add_argument("--models", default="", help="names, with commas; all if left out")
    parser.add_argument("--samples", type=int, default=20, help="random sub-networks a model")
    parser.add_argument("--peer", action="store_true", help="Torch-Pruning beside it")
    parser.add_argument(
        "--path", type=Path, action="append", default=[], help="more installed packages, looked up last"
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="limit a model")
    parser.add_argument("--memory-gb", type=float, default=12.0, help="limit a model")
    parser.add_argument("--out", type=Path, help="file that keeps findings, so that a run that was cut off goes on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "WHO", "FILE"), help=argparse.SUPPRESS)
    return parser


def _known(out: Path | None, name: str, who: str) -> Row | None:
    """What the file of findings knows."""
    if out is None or not out.exists():
        return None
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return next((row["row"] for row in rows if (row["who"], row["row"]["name"]) == (who, name)), None)


def _keep(out: Path | None, who: str, row: Row) -> None:
    if out is not None and _known(out, str(row["name"]), who) is None:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"who": who, "row": row}) + "\n")


def _names(options: argparse.Namespace) -> list[str]:
    """Names of all models, read in a process of its own: zoos import much."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "names.json"
        process = subprocess.run(_command(options, "", "names", out), capture_output=True, text=True, check=False)
        if process.returncode:
            raise SystemExit(f"the zoo cannot be read: {process.stderr[-2000:]}")
        return list(json.loads(out.read_text(encoding="utf-8"))["names"])


def _command(options: argparse.Namespace, name: str, who: str, out: Path) -> list[str]:
    paths = [part for folder in options.path for part in ("--path", str(folder))]
    common = ["--zoo", str(options.zoo), "--samples", str(options.samples), *paths]
    return [sys.executable, __file__, *common, "--memory-gb", str(options.memory_gb), "--one", name, who, str(out)]


def _apart(options: argparse.Namespace, name: str, who: str) -> Row:
    """One model in its own process; what it told last if it was killed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        process = subprocess.Popen(
            _command(options, name, who, out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        end = ""
        try:
            _, told = process.communicate(timeout=options.seconds)
            if process.returncode:
                last = told.decode(errors="replace").strip().splitlines()[-1:] or [""]
                end = f"ended with {process.returncode}: {last[0][:300]}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            end = f"more than {options.seconds:.0f} s"
        row: Row = json.loads(out.read_text(encoding="utf-8")) if out.exists() else _unknown(name, who)
    return {**row, "error": end} if end else row


def _unknown(name: str, who: str) -> Row:
    from anymodel.ours import Ours
    from anymodel.pruning import Peer

    found = Ours(name) if who == "ours" else Peer(name)
    return {field: getattr(found, field) for field in found.__dataclass_fields__}


def _one(options: argparse.Namespace) -> None:
    """The child's part: its findings go to a file, replaced whole each time more is known."""
    name, who, out = options.one[0], options.one[1], Path(options.one[2])
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if math.isfinite(options.memory_gb):
        limit = int(options.memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    import torch
    from anymodel.subject import load_zoo

    torch.set_num_threads(1)
    zoo = load_zoo(options.zoo)

    def tell(found: dict[str, object]) -> None:
        new = out.with_suffix(".new")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(out)

    if who == "names":
        tell({"names": list(zoo.zoo())})
    elif who == "ours":
        from anymodel import ours

        ours.measure(zoo, name, options.samples, tell)
    else:
        from anymodel import pruning

        pruning.measure(zoo, name, who == "peer with hints", tell)


if __name__ == "__main__":
    sys.exit(main())
