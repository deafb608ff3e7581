"""Files beside an exported model: how a SMILES becomes its inputs, how its output becomes a prediction, a command."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

SHIPPED = ("predict", "featurise", "standardise")
"""Modules of this package that are shipped as they are, but for the package's name in their imports."""


class Preprocessed(Protocol):
    """A task as far as its files need it."""

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns a SMILES into model inputs and an output into a prediction."""
        ...


def takeaway(task: Preprocessed) -> Mapping[str, str]:
    """Text files by name: `predict.py` and what it imports, `preprocess.json`, and the usage part of `README.md`."""
    settings = task.preprocessing
    files = {f"{name}.py": shipped_source(name) for name in SHIPPED}
    files["preprocess.json"] = json.dumps(settings, indent=1) + "\n"
    files["requirements.txt"] = _requirements()
    files["README.md"] = _usage(settings)
    return files


def shipped_source(name: str) -> str:
    """Source of a module of this package with its imports from the package turned into imports of files beside it."""
    source = inspect.getsource(importlib.import_module(f"gnas_molecular.{name}"))
    return source.replace("from gnas_molecular.", "from ")


def _requirements() -> str:
    """Packages that `predict.py` needs, RDKit in the version whose descriptors the model knows."""
    lines = [
        f"rdkit=={version('rdkit')}",
        "numpy",
        "torch",
        "safetensors",
        f"torch_geometric>={version('torch_geometric')}",
    ]
    return "\n".join([*lines, "# onnxruntime instead of the last three is enough for --onnx"]) + "\n"


def _usage(settings: Mapping[str, Any]) -> str:
    binary = settings["task"] == "binary"
    targets = ", ".join(f"`{name}`" for name in settings["targets"])
    unit = f" in {settings['unit']}" if settings["unit"] and not binary else ""
    predicted = f"the probability that {targets} is 1" if binary else f"{targets}{unit}"
    steps = {
        "salts": "the largest fragment is kept",
        "uncharge": "charges are neutralised",
        "tautomers": "the canonical tautomer is taken",
    }
    done = [text for key, text in steps.items() if settings["standardise"].get(key)]
    return f"""## Use

```
pip install -r requirements.txt
python predict.py "CCO" "c1ccccc1"
python predict.py --file molecules.csv --column smiles --out predictions.csv
python predict.py --onnx "CCO"
```

It predicts {predicted}. The prediction of a molecule that cannot be read stays empty, and a line says why.
Molecules are standardised as the training data were: {"; ".join(done) or "as they are"}.
The model was trained with RDKit {version("rdkit")}, whose descriptors it knows.

`predict.py` needs three files beside it: `standardise.py`, `featurise.py` (what a molecule becomes) and
`preprocess.json` (scalers fitted on the training molecules).
"""
