"""Small tables in the published layouts."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

CELLS = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
)
"""The second and third are the same graph: one path through a middle node beside the skip."""

GRAPHS = (
    ("0000", "gat", "gcn", "gin", "fc"),
    ("0123", "skip", "gcn", "sage", "arma"),
    ("0012", "cheb", "gcn", "gin", "fc"),
)


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A CSV file, gzipped where the name says so."""
    text = "\n".join([",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


def cells(path: Path, **columns: list[Any]) -> Path:
    """A table of `CELLS` in the layout of NAS-Bench-201."""
    columns = columns or {"index": [0, 1, 2, 3], "val": [90.0, 80.0, 82.0, 70.0], "test": [89.0, 81.0, 83.0, 71.0]}
    rows = [{"arch_str": cell} | {k: v[i] for k, v in columns.items()} for i, cell in enumerate(CELLS)]
    return write_csv(path, rows)


def graphs(path: Path) -> Path:
    """A table of `GRAPHS` in the layout of NAS-Bench-Graph."""
    names = ("link", "op1", "op2", "op3", "op4")
    return write_csv(path, [dict(zip(names, graph, strict=True)) | {"acc": i} for i, graph in enumerate(GRAPHS)])


def nasbench101(path: Path, **changes: Any) -> Path:
    """Three cells of NAS-Bench-101: input straight to output; one convolution beside the skip; seven vertices."""
    wide = np.zeros((7, 7), dtype=bool)
    wide[[0, 1, 2, 3, 4, 5, 0], [1, 2, 3, 4, 5, 6, 6]] = True
    small = np.zeros((3, 3), dtype=bool)
    small[[0, 1, 0], [1, 2, 2]] = True
    adjacencies = [np.array([[False, True], [False, False]]), small, wide]
    bits = np.zeros((3, 21), dtype=bool)
    for row, adjacency in enumerate(adjacencies):
        upper = adjacency[np.triu_indices(len(adjacency), 1)]
        bits[row, : len(upper)] = upper
    arrays = {
        "n_vertices": np.array([2, 3, 7], dtype=np.uint8),
        "adj_upper": np.packbits(bits, axis=1),
        "ops": np.array([[255] * 5, [0, 255, 255, 255, 255], [0, 1, 2, 1, 0]], dtype=np.uint8),
        "test_acc": np.array([0.8, 0.9, 0.94], dtype=np.float32),
        "name": np.array(["a", "b", "c"]),
    }
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return path
