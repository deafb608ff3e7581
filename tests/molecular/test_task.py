from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_molecular.featurise import model_inputs
from gnas_molecular.standardise import scaffold

from gnas.domain import Batch
from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from tests.molecular.samples import columns_of, task_of


def test_batches_equal_featurising_molecule_by_molecule(tmp_path: Path) -> None:
    columns = columns_of()
    columns["smiles"][5:7] = ["C", "[Na+].[Cl-]"]
    task = task_of(tmp_path, columns, standardise={"salts": False})
    for part in ("train", "validation", "test"):
        first = 0
        for batch in task.batches(part, 7):
            smiles = task.smiles[part][first : first + len(batch.targets)]
            first += len(smiles)
            expected = model_inputs(smiles, task.preprocessing["descriptors"])
            assert list(batch.inputs) == list(expected)
            for name, tensor in batch.inputs.items():
                np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-6, err_msg=name)


def test_shuffled_batches_hold_the_molecules_of_their_targets(tmp_path: Path) -> None:
    columns = columns_of()
    columns["y"] = list(range(60))
    task = task_of(tmp_path, columns)
    by_value = dict(zip(task.targets("train")[:, 0].round(6).tolist(), task.smiles["train"], strict=True))
    known = np.array(list(by_value))
    for batch in task.batches("train", 9, generator=torch.Generator().manual_seed(0)):
        values = task.predictions(batch.targets)[:, 0].round(6)
        nearest = [float(known[np.abs(known - value).argmin()]) for value in values]
        expected = model_inputs([by_value[v] for v in nearest], task.preprocessing["descriptors"])
        np.testing.assert_array_equal(batch.inputs["atoms"].numpy(), expected["atoms"])
        np.testing.assert_array_equal(batch.inputs["edge_index"].numpy(), expected["edge_index"])


@pytest.mark.parametrize(("batch_size", "sizes"), [(100, [48]), (48, [48]), (47, [24, 24]), (23, [16, 16, 16])])
def test_batches_are_even_and_keep_to_their_size(tmp_path: Path, batch_size: int, sizes: list[int]) -> None:
    assert [len(batch.targets) for batch in task_of(tmp_path).batches("train", batch_size)] == sizes


def test_scalers_see_training_rows_only(tmp_path: Path) -> None:
    columns = columns_of()
    columns["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    task = task_of(tmp_path, columns, split={"kind": "column", "column": "part"})
    assert task.target_scaler.mean[0] == pytest.approx(np.mean(columns["y"][:40]))
    assert task.target_scaler.std[0] == pytest.approx(np.std(columns["y"][:40]))
    train = torch.cat([batch.inputs["descriptors"] for batch in task.batches("train", 64)])
    assert train.abs().max() <= 5
    merged = task.merged()
    assert merged.target_scaler.mean[0] == pytest.approx(np.mean(columns["y"][:50]))
    assert merged.size("validation") == 10


def test_scores_are_in_data_units(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    perfect = torch.cat([batch.targets for batch in task.batches("test", 4)])
    scores = task.score("test", perfect)
    assert scores["rmse"] == pytest.approx(0, abs=1e-5)
    assert scores["spearman"] == pytest.approx(1)
    off = task.score("test", perfect + 1 / float(task.target_scaler.std[0]))
    assert off["rmse"] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(task.predictions(perfect), task.targets("test"), atol=1e-5)


def test_missing_labels_do_not_count(tmp_path: Path) -> None:
    task = task_of(tmp_path, targets=["y", "late"])
    batch = next(iter(task.batches("train", 64)))
    assert 0 < batch.mask[:, 1].float().mean() < 1
    assert np.array_equal(batch.mask.numpy(), ~np.isnan(task.targets("train")))
    outputs = torch.randn(batch.targets.shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = task.loss(outputs, batch, Recipe())
    expected = ((outputs - batch.targets) ** 2)[batch.mask].mean()
    assert loss.item() == pytest.approx(expected.item())
    torch.autograd.backward(loss)
    assert not outputs.grad[~batch.mask].any()  # type: ignore[index]
    wild = outputs.detach().clone()
    wild[~batch.mask] = 1e6
    assert task.score("train", wild) == task.score("train", outputs)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_losses_of_the_recipe(tmp_path: Path, name: str) -> None:
    task = task_of(tmp_path)
    batch = next(iter(task.batches("train", 64)))
    error = torch.full_like(batch.targets, 3.0)
    expected = {"mse": 9.0, "mae": 3.0, "huber": 2.5}[name]
    loss = task.loss(batch.targets + error, batch, Recipe.model_validate({"loss": name}))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_another_task_is_refused(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    batch = next(iter(task.batches("train", 64)))
    with pytest.raises(SpecError, match=r"recipe.loss.*auto, mse, mae, huber"):
        task.loss(batch.targets, batch, Recipe(loss="bce"))


def test_binary_loss_weighs_classes_when_asked(tmp_path: Path) -> None:
    columns = columns_of()
    columns["active"] = [int(i % 5 == 0) for i in range(60)]
    task = task_of(tmp_path, columns, targets="active", split={"kind": "random", "seed": 1})
    assert task.kind == "binary" and [m.name for m in task.metrics] == ["auroc", "auprc", "log_loss"]
    batch = next(iter(task.batches("train", 64)))
    zeros = torch.zeros_like(batch.targets)
    assert task.loss(zeros, batch, Recipe()).item() == pytest.approx(np.log(2))
    n_positive = batch.targets.sum().item()
    n_negative = len(batch.targets) - n_positive
    expected = np.log(2) * 2 * n_negative / len(batch.targets)
    assert task.loss(zeros, batch, Recipe(class_weights="balanced")).item() == pytest.approx(expected)
    assert task.predictions(zeros).max() == 0.5


def test_a_batch_without_labels_has_no_loss(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    batch = next(iter(task.batches("train", 4)))
    empty = Batch(batch.inputs, batch.targets, torch.zeros_like(batch.mask))
    assert task.loss(batch.targets + 1, empty, Recipe()).item() == 0


def test_bad_outputs_are_refused(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    outputs = torch.zeros(task.size("test"), 1)
    with pytest.raises(DataError, match=r"outputs for the test part"):
        task.score("test", outputs[:-1])
    outputs[0] = float("nan")
    with pytest.raises(DivergedError):
        task.score("test", outputs)


def test_degrees_are_those_of_the_training_part(tmp_path: Path) -> None:
    columns = columns_of()
    columns["smiles"][3] = "[Na+]"
    task = task_of(tmp_path, columns)
    from rdkit import Chem

    counts = [0] * len(task.degree_histogram)
    for smiles in task.smiles["train"]:
        for atom in Chem.MolFromSmiles(smiles).GetAtoms():
            counts[atom.GetDegree()] += 1
    assert tuple(counts) == task.degree_histogram


def test_ops_default_network_and_files_come_with_the_task(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    assert {"pna", "gine"} <= set(task.ops)
    space, assignment = task.default_network
    assert space == task.default_space and assignment
    assert "predict.py" in task.takeaway()
    assert set(task.baselines) == {"random forest", "gradient boosting"}


@pytest.mark.parametrize("split", [{"kind": "random"}, {"kind": "group", "column": "plate"}])
def test_turns_divide_the_learning_data_anew_by_whole_groups(tmp_path: Path, split: dict[str, str]) -> None:
    columns = columns_of()
    columns["plate"] = [f"plate {i // 2}" for i in range(60)]
    task = task_of(tmp_path, columns, split={**split, "fractions": [0.6, 0.2, 0.2]})
    learnt = set(task.smiles["train"] + task.smiles["validation"])
    assert task.turns >= 3
    assert task.turned(0) is task and task.turned(task.turns) is task
    seen = set(task.smiles["validation"])
    for turn in range(1, task.turns):
        turned = task.turned(turn)
        validation, train = set(turned.smiles["validation"]), set(turned.smiles["train"])
        assert turned.smiles["test"] == task.smiles["test"]
        assert validation | train == learnt and not validation & (train | seen)
        assert not set(turned.groups["validation"]) & set(turned.groups["train"])
        assert turned.target_scaler.mean[0] == pytest.approx(turned.targets("train").mean())
        seen |= validation
        value = dict(zip(task.smiles["train"], task.targets("train")[:, 0], strict=True))
        expected = [value[smiles] for smiles in turned.smiles["validation"]]
        np.testing.assert_array_equal(turned.targets("validation")[:, 0], expected)


def test_scaffolds_are_what_a_scaffold_split_keeps_together(tmp_path: Path) -> None:
    task = task_of(tmp_path, split={"kind": "scaffold_balanced"})
    for part in ("train", "validation"):
        assert task.groups[part] == tuple(scaffold(smiles) for smiles in task.smiles[part])


def test_a_split_given_by_a_column_has_one_turn(tmp_path: Path) -> None:
    columns = columns_of()
    columns["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    task = task_of(tmp_path, columns, split={"kind": "column", "column": "part"})
    assert task.turns == 1 and task.turned(5) is task
