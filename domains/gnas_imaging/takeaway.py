"""Files beside an exported model: how an image becomes its input, how its output becomes a prediction, a command."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

SHIPPED = ("predict", "reading")
"""Modules of this package that are shipped as they are, but for the package's name in their imports."""


class Preprocessed(Protocol):
    """A task as far as its files need it."""

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns an image into the model's input and an output into a prediction."""
        ...


def takeaway(task: Preprocessed) -> Mapping[str, str]:
    """Text files by name: `predict.py` and what it imports, `preprocess.json`, and the usage part of `README.md`."""
    settings = task.preprocessing
    files = {f"{name}.py": shipped_source(name) for name in SHIPPED}
    files["preprocess.json"] = json.dumps(settings, indent=1) + "\n"
    files["requirements.txt"] = (
        f"pillow>={version('pillow')}\nnumpy\ntorch\nsafetensors\n"
        "# onnxruntime instead of the last two is enough for --onnx\n"
        "# nibabel for NIfTI files, pydicom for DICOM files\n"
    )
    files["README.md"] = _usage(settings)
    return files


def shipped_source(name: str) -> str:
    """Source of a module of this package with its imports from the package turned into imports of files beside it."""
    source = inspect.getsource(importlib.import_module(f"gnas_imaging.{name}"))
    return source.replace("from gnas_imaging.", "from ")


def _usage(settings: Mapping[str, Any]) -> str:
    names = [f"`{name}`" for name in settings["names"]]
    unit = f" in {settings['unit']}" if settings["unit"] else ""
    predicted = {
        "binary": f"the probability of {names[-1]}",
        "multiclass": f"the probabilities of the classes {', '.join(names)}",
        "multilabel": f"the probability of each of {', '.join(names)}",
        "regression": f"{', '.join(names)}{unit}",
        "segmentation": f"a class for every place, of {', '.join(names)} (0, 1, …): its share of the image, and masks",
    }[settings["task"]]
    shape = " × ".join(str(n) for n in settings["size"])
    colour = "RGB" if settings["channels"] == 3 else "grey"
    window = settings["window"]
    values = "8 bits" if window is None else f"values from {window[0]:g}, black, to {window[1]:g}, white"
    masks = "\npython predict.py --folder images --masks masks" if settings["task"] == "segmentation" else ""
    return f"""## Use

```
pip install -r requirements.txt
python predict.py image.png other.png
python predict.py --folder images --out predictions.csv
python predict.py --onnx image.png{masks}
```

It predicts {predicted}. An image is resized to {shape} pixels, {colour}, of {values}, and standardised with
the mean and spread of the training images (`preprocess.json`). The prediction of a file that is no image stays
empty, and a line says why. It is no medical device.

`predict.py` needs two files beside it: `reading.py` and `preprocess.json`.
"""
