"""The same training by Lightning's Trainer, with everything off that a candidate does not need."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from gnas.evaluate.schedule import factors
from loops.plain import Loaders
from loops.subject import Subject


def installed() -> bool:
    """Whether Lightning is there."""
    return find_spec("lightning") is not None


def train_lightning(network: nn.Module, subject: Subject, found: Loaders, device: str) -> float:
    """Trains a network; the best validation value."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    task, recipe, objective = subject.task, subject.recipe, subject.objective
    names = tuple(task.inputs)
    steps = len(found.train) * recipe.epochs

    class Module(lightning.LightningModule):  # type: ignore[misc]
        """The network with its loss, optimiser and validation."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.outputs: list[Tensor] = []
            self.best = float("nan")

        def training_step(self, data: Any, index: int) -> Tensor:
            batch = found.convert(data)
            return task.loss(self.network(*[batch.inputs[name] for name in names]), batch, recipe)

        def validation_step(self, data: Any, index: int) -> None:
            batch = found.convert(data)
            self.outputs.append(self.network(*[batch.inputs[name] for name in names]))

        def on_validation_epoch_end(self) -> None:
            value = task.score("validation", torch.cat(self.outputs).cpu())[objective.name]
            self.outputs.clear()
            if self.best != self.best or objective.better(value, self.best):
                self.best = value
                self.weights = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(
                self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
            )
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors(recipe, steps))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    module = Module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=recipe.epochs,
            accelerator="gpu" if device.startswith("cuda") else "cpu",
            devices=1,
            gradient_clip_val=recipe.gradient_clip,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, found.train, found.validation)
    network.load_state_dict(module.weights)
    return module.best
