"""A model trained anew beside the one that ships: the same, nearly the same, or another."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affectscope.errors import InputError, ModelError
from affectscope.models import shipped
from affectscope.models.shipped import (
    SHIPPED,
    DataSource,
    ModelContract,
    OpenedModel,
    ResultTable,
    open_model,
    save_model,
)
from affectscope.recipes import shipped_models
from affectscope.recipes.shipped_models import (
    TRAININGS,
    Training,
    check_recordings,
    compared,
    rebuilt,
)

WEIGHT = torch.tensor([1.0, -2.0, 4.0])
TENSORS = {"weight": WEIGHT, "count": torch.tensor(3)}


def never(data: Path, out: Path, progress: shipped_models.Progress) -> str:
    raise AssertionError("nothing is trained where two models are compared")


STRICT = Training(never, tolerance=0.01)
BY_FIGURES = Training(never, tolerance=0.01, figures=0.05)


@pytest.fixture
def before(small_contract: ModelContract) -> OpenedModel:
    return OpenedModel(small_contract, "aaaaaaaaaaaa", dict(TENSORS))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of recordings: two files of one source."""
    folder = tmp_path / "data"
    for name in ("S01", "S02"):
        (folder / "wrist" / name).mkdir(parents=True)
        (folder / "wrist" / name / "EDA.csv").write_text(f"{name}\n")
    return folder


@pytest.fixture
def contract(small_contract: ModelContract, data: Path) -> ModelContract:
    """Its hashes are those of ``data``."""
    hashes = {
        f"{name}/EDA.csv": hashlib.sha256(f"{name}\n".encode()).hexdigest()
        for name in ("S01", "S02")
    }
    source = DataSource("wrist", "nobody", "CC0-1.0", ("wrist/S01",), hashes)
    return replace(small_contract, sources=(source,))


def test_every_model_that_comes_with_the_program_can_be_trained() -> None:
    assert tuple(TRAININGS) == SHIPPED
    assert all(0 < training.tolerance <= 0.05 for training in TRAININGS.values())


def test_the_same_model_is_the_same(before: OpenedModel) -> None:
    found = compared(before, before, STRICT)
    assert found.same
    assert [each.share for each in found.differences] == [0.0] * 5
    found.check()
    assert "the same id" in found.lines[1]
    assert found.lines[2].endswith("the same, by sha256")
    assert found.lines[3].endswith("the same to the last bit")
    assert found.lines[4].endswith("every table reads the same")


@pytest.mark.parametrize(("moved", "same"), [(0.03, True), (0.05, False)])
def test_a_tensor_may_differ_by_a_share_of_its_largest_number(
    before: OpenedModel, moved: float, same: bool
) -> None:
    anew = {**TENSORS, "weight": WEIGHT + torch.tensor([moved, 0.0, 0.0])}
    found = compared(before, replace(before, tensors=anew, model_id="b"), STRICT)
    share = {each.name: each.share for each in found.differences}["weight"]
    assert share == pytest.approx(moved / 4, rel=1e-5)
    assert found.same is same
    assert "another id" in found.lines[1]
    assert "in weight; 0.01 is allowed" in found.lines[3]


@pytest.mark.parametrize(
    "anew",
    [
        {"weight": WEIGHT},
        {**TENSORS, "more": WEIGHT},
        {**TENSORS, "weight": WEIGHT[:2]},
        {**TENSORS, "weight": torch.full((3,), float("nan"))},
        {**TENSORS, "count": torch.tensor(4)},
    ],
)
def test_tensors_that_do_not_fit_are_another_model(
    before: OpenedModel, anew: dict[str, Tensor]
) -> None:
    found = compared(before, replace(before, tensors=anew), STRICT)
    assert not found.same
    with pytest.raises(ModelError, match=r"E_REBUILT.*tolerance") as caught:
        found.check()
    assert found.apart[0].name in caught.value.sentence


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"features": ("rate", "level"), "scale": {"rate": 2.0, "window": 60}}, True),
        ({"features": ("rate", "level"), "scale": {"rate": 2.01, "window": 60}}, True),
        ({"features": ("rate", "level"), "scale": {"rate": 2.1, "window": 60}}, False),
        ({"features": ("rate", "slope"), "scale": {"rate": 2.0, "window": 60}}, False),
        ({"features": ("rate", "level"), "scale": {"rate": None, "window": 60}}, False),
        ({"features": ("rate", "level"), "scale": {"rate": 2.0}}, False),
    ],
)
def test_the_configuration_is_compared_too(
    before: OpenedModel, changed: dict[str, object], same: bool
) -> None:
    settings = {"features": ("rate", "level"), "scale": {"rate": 2.0, "window": 60}}
    first = replace(before, contract=replace(before.contract, configuration=settings))
    anew = replace(before, contract=replace(before.contract, configuration=changed))
    assert compared(first, anew, STRICT).same is same


def test_a_setting_that_is_none_in_both_is_the_same(before: OpenedModel) -> None:
    none = replace(before, contract=replace(before.contract, configuration={"limit": None}))
    assert compared(none, none, Training(never, tolerance=0.0)).same


def test_other_files_are_another_model_even_with_the_same_numbers(before: OpenedModel) -> None:
    source = before.contract.sources[1]
    other = replace(source, hashes={"1.npz": "00" * 32, "2.npz": "11" * 32})
    anew = replace(
        before, contract=replace(before.contract, sources=(before.contract.sources[0], other))
    )
    found = compared(before, anew, STRICT)
    assert found.changed_files == ("chest/1.npz", "chest/2.npz")
    assert not found.same
    with pytest.raises(ModelError, match=r"E_REBUILT.*Other files: chest/1\.npz, chest/2\.npz"):
        found.check()


def test_figures_that_read_otherwise_are_told(before: OpenedModel) -> None:
    table = before.contract.results[0]
    other = ResultTable(table.title, table.columns, (("both", "0.72"),), table.command)
    anew = replace(
        before, contract=replace(before.contract, results=(other, before.contract.results[1]))
    )
    found = compared(before, anew, STRICT)
    assert found.changed_tables == (table.title,)
    assert table.title in found.lines[4]
    assert found.same


@pytest.mark.parametrize(
    ("figure", "same"),
    [("0.74", True), ("0.76", False), ("0.74 [0.70, 0.80]", False), ("-", False)],
)
def test_other_weights_that_do_the_same_are_the_same_model_where_figures_decide(
    before: OpenedModel, figure: str, same: bool
) -> None:
    table = ResultTable("how well", ("who", "accuracy"), (("5 people", "0.70"),), "none")
    other = replace(table, rows=(("6 people", figure),))
    first = replace(before, contract=replace(before.contract, results=(table,)))
    anew = OpenedModel(
        replace(before.contract, results=(other,)), "b", {**TENSORS, "weight": -WEIGHT}
    )
    found = compared(first, anew, BY_FIGURES)
    assert found.same is same
    assert not compared(first, anew, STRICT).same
    assert "0.05 is allowed for other weights" in found.lines[4]
    assert not compared(first, replace(anew, tensors={"weight": WEIGHT}), BY_FIGURES).same
    setting = replace(anew.contract, configuration={"window": 61})
    assert not compared(first, replace(anew, contract=setting), BY_FIGURES).same


def test_the_recordings_are_checked_file_by_file(contract: ModelContract, data: Path) -> None:
    check_recordings(contract, data)
    (data / "wrist" / "S02" / "EDA.csv").write_text("another\n")
    with pytest.raises(InputError, match=r"E_CORPUS.*1 of the 2 files.*wrist/S02/EDA\.csv\."):
        check_recordings(contract, data)
    with pytest.raises(InputError, match=r"E_CORPUS.*2 of the 2 files"):
        check_recordings(contract, data.parent)


def test_a_model_is_trained_anew_and_compared(
    contract: ModelContract, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a training of the tests in the registry; those of the shipped models take long."""
    name, started = "stress-rest", []

    def train(found: Path, out: Path, progress: shipped_models.Progress) -> str:
        started.append(found)
        progress(0.5, "half")
        return save_model(out, {**TENSORS, "weight": WEIGHT * 1.001}, contract)

    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    monkeypatch.setitem(TRAININGS, name, Training(train, STRICT.tolerance))
    save_model(tmp_path / "shipped" / name, TENSORS, contract)
    reached: list[tuple[float, str]] = []
    found = rebuilt(name, data, tmp_path / "out", lambda share, now: reached.append((share, now)))
    assert found.same
    assert found.rebuilt_id == open_model(tmp_path / "out").model_id != found.shipped_id
    assert reached == [(0.5, "half")]
    (data / "wrist" / "S01" / "EDA.csv").unlink()
    with pytest.raises(InputError, match="E_CORPUS"):
        rebuilt(name, data, tmp_path / "out", lambda share, now: None)
    assert started == [data], "nothing is trained on other recordings"


def test_a_name_that_none_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="E_CONFIG"):
        rebuilt("oracle", tmp_path, tmp_path / "out", lambda share, now: None)
