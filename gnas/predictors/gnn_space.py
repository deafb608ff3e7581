"""What flow encoders learn of a space before any label, and their embedding of it: a pure function of the space.

Frozen, the embedding is a block of features for a Gaussian process. It holds what the features tell, but smoothed by
flows through the graph: neighbours in it are graphs through which information flows alike.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from gnas.predictors.columns import ColumnRanks
from gnas.predictors.features import extractor_of_space
from gnas.predictors.gnn_flow import FlowEncoder
from gnas.predictors.gnn_labels import label_vectors
from gnas.predictors.gnn_plan import FlowPlan
from gnas.predictors.gnn_train import Training, pretrain
from gnas.predictors.graphs import Floats, GraphBatch
from gnas.predictors.protocol import Vector
from gnas.space.protocol import Codes, Space

_CHUNK = 2048
_UNLABELLED = 2000
_REFERENCE = 1024
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Pretraining:
    """How encoders are made.

    Attributes:
        members: How many, side by side.
        width: Of the states of nodes.
        rounds: Forward and backward passes over a graph.
        steps, rate: Of training.
        seed: Of weights, of the sample of the space, and of its order.
    """

    members: int = 8
    width: int = 16
    rounds: int = 1
    steps: int = 300
    rate: float = 1e-2
    seed: int = 0

    def fresh(self) -> FlowEncoder:
        """Encoders that know nothing yet."""
        return FlowEncoder(self.members, self.width, self.rounds, self.seed)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of architectures without labels, as zero-cost proxies and counted costs are.

    Attributes:
        codes: Rows of the space, `(n, choice)`, n ≥ 1.
        columns: Numbers, NaN where missing; `(n, column)`.
    """

    codes: Codes
    columns: Floats

    @property
    def digest(self) -> str:
        """Equal for equal contents."""
        return blake2b(self.codes.tobytes() + self.columns.tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class SpaceEmbedding:
    """A pretrained encoder and the scale of what it says.

    Attributes:
        space: Whose architectures it embeds.
        encoder: Frozen.
        mean: Of the embedding over the space, `(column,)`.
        scale: Brings its variance, summed over columns, to 1.
    """

    space: Space
    encoder: FlowEncoder
    mean: Vector
    scale: float

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.mean)

    def features(self, codes: Codes) -> Floats:
        """Embedding of rows of codes, `(n, choice)` to `(n, width)`."""
        return (_raw(self.space, self.encoder, codes) - self.mean) * self.scale


def embedding_of_space(space: Space, settings: Pretraining | None = None, known: Known | None = None) -> SpaceEmbedding:
    """The embedding of a space, made once and remembered.

    Args:
        space: The space.
        settings: How.
        known: What the user knows of unlabelled architectures; encoders then learn of these, and to tell this too.
    """
    settings = settings or Pretraining()
    key = (space.fingerprint, settings, None if known is None else known.digest)
    return _remembered(key, lambda: _embedding(space, settings, known))


def pretrained_encoder(space: Space, settings: Pretraining, known: Known | None = None) -> FlowEncoder:
    """A copy of the encoder behind `embedding_of_space`, to be trained further."""
    encoder = settings.fresh()
    encoder.load_state_dict(embedding_of_space(space, settings, known).encoder.state_dict())
    return encoder


def outputs(parts: Iterator[GraphBatch], module: Callable[[FlowPlan, Tensor], Tensor], width: int) -> Floats:
    """Outputs `(member, graph, column)` of a module on batches of graphs, as rows `(graph, member * column)`."""
    rows = [np.zeros((0, width))]
    with torch.no_grad(), one_thread():
        for graphs in parts:
            out = module(FlowPlan.of(graphs), torch.from_numpy(label_vectors(graphs.table)))
            rows.append(out.transpose(0, 1).reshape(graphs.n_graphs, width).double().numpy())
    return np.concatenate(rows)


def parts_of(space: Space, codes: Codes) -> Iterator[GraphBatch]:
    """Graphs of rows of codes, in chunks."""
    return (GraphBatch.of_codes(space, codes[i : i + _CHUNK]) for i in range(0, len(codes), _CHUNK))


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order: results do not depend on how many threads there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _raw(space: Space, encoder: FlowEncoder, codes: Codes) -> Floats:
    return outputs(parts_of(space, codes), encoder, encoder.members * encoder.out_width)


def _embedding(space: Space, settings: Pretraining, known: Known | None) -> SpaceEmbedding:
    rng = np.random.default_rng((settings.seed, 2))
    codes = space.sample_codes(rng, _UNLABELLED) if known is None else known.codes
    extractor, encoder = extractor_of_space(space), settings.fresh()
    targets = extractor.features_of_codes(space, codes)
    if known is not None:
        # What the user knows counts as much as all features together, each block of which has variance 1.
        weight = np.sqrt(max(len(extractor.slices), 1))
        targets = np.concatenate([targets, weight * ColumnRanks.fit(known.columns).features(known.columns)], axis=1)
    if targets.shape[1]:
        training = Training(settings.steps, settings.rate, dropout=0.0)
        with one_thread():
            graphs = GraphBatch.of_codes(space, codes)
            pretrain(encoder, graphs, targets.astype(np.float32), training, settings.seed)
    encoder.requires_grad_(False)
    raw = _raw(space, encoder, codes[:_REFERENCE])
    return SpaceEmbedding(space, encoder, raw.mean(axis=0), 1.0 / max(float(np.sqrt(raw.var(axis=0).sum())), 1e-9))


_made: OrderedDict[object, SpaceEmbedding] = OrderedDict()
_lock = threading.Lock()


def _remembered(key: object, make: Callable[[], SpaceEmbedding]) -> SpaceEmbedding:
    with _lock:
        if key not in _made:
            _made[key] = make()
            while len(_made) > _REMEMBERED:
                _made.popitem(last=False)
        return _made[key]
