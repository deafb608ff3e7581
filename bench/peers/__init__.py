"""Ideas of published predictors, implemented here on codes, so that all are judged on the same draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gnas.space.protocol import Codes, Space
from peers.forest import random_forest
from peers.gcn import gcn_regressor
from peers.onehot import onehot_process
from peers.paths import path_encoding_ensemble

Vector = NDArray[np.float64]
Peer = Callable[[Space, Codes, Vector, Codes, int], Vector]
"""Space, codes and values to learn from, codes asked about, seed: predictions, of which only the order counts."""

PEERS: dict[str, Peer] = {
    "GCN regressor": gcn_regressor,
    "path-encoding ensemble": path_encoding_ensemble,
    "one-hot GP": onehot_process,
    "random forest": random_forest,
}
