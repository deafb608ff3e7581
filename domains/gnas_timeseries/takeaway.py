"""Files beside an exported model: how a signal becomes its input, how its output becomes a prediction, a command."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Protocol

from gnas_timeseries import predict


class Preprocessed(Protocol):
    """A task as far as its files need it."""

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns a signal into model inputs and an output into a prediction."""
        ...


def takeaway(task: Preprocessed) -> Mapping[str, str]:
    """Text files by name: `predict.py`, `preprocess.json`, `requirements.txt`, and the usage part of `README.md`."""
    settings = task.preprocessing
    return {
        "predict.py": inspect.getsource(predict),
        "preprocess.json": json.dumps(settings, indent=1) + "\n",
        "requirements.txt": "numpy\ntorch\nsafetensors\n# onnxruntime instead of the last two is enough for --onnx\n",
        "README.md": _usage(settings),
    }


def _usage(settings: Mapping[str, Any]) -> str:
    targets = ", ".join(f"`{name}`" for name in settings["targets"])
    channels = ", ".join(settings["channels"])
    unit = f" in {settings['unit']}" if settings["unit"] else ""
    predicted = {
        "classification": f"the class {targets}: {', '.join(settings['classes'])}",
        "regression": f"{targets}{unit}",
        "multilabel": f"the probability that each of {targets} is 1",
    }[settings["task"]]
    scaling = {
        "channel": "each channel by its mean and spread in the training part",
        "series": "each series by its own mean and spread",
        "none": "not at all",
    }[settings["signals"]["kind"]]
    shorter, least = "A series may be shorter: leave its last cells empty, or NaN", settings["least"]
    asked = f"; {least} steps must be there" if least else ""
    mask = f" {shorter}{asked}." if settings["signals"]["mask"] or least else ""
    return f"""## Use

```
pip install -r requirements.txt
python predict.py --file series.npz
python predict.py --file series.csv --out predictions.csv
python predict.py --onnx --file series.npz
python predict.py --footprint     # bytes of flash and memory at int8
```

It predicts {predicted}. A series has {settings["steps"]} steps and the channels {channels}.{mask}
Signals are scaled {scaling}; `predict.py` does that with the numbers in `preprocess.json`.
"""
