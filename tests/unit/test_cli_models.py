"""The verbs ``affectscope models ...`` as a user types them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from affectscope.cli import app, main
from affectscope.models import shipped
from affectscope.models.shipped import ModelContract, save_model
from affectscope.recipes.shipped_models import TRAININGS, Progress, Training


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.fixture
def folder(small_contract: ModelContract, tmp_path: Path) -> Path:
    save_model(tmp_path / "small", {"weight": torch.ones(3)}, small_contract)
    return tmp_path / "small"


def test_without_a_verb_the_models_are_listed() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    for name in shipped.SHIPPED:
        assert f"\n{name}: " in f"\n{result.output}"
    assert "not a medical device" in result.output


def test_a_model_is_shown(folder: Path) -> None:
    result = run("show", folder)
    assert result.exit_code == 0, result.output
    assert "Model card: small" in result.output
    assert "Cost of a missing modality" in result.output


def test_the_cards_are_written(folder: Path, tmp_path: Path) -> None:
    result = run("card", folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert "small.card.html" in result.output.replace("\n", "")


def as_typed(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["affectscope", "models", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_an_unknown_model_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert as_typed(monkeypatch, "show", "oracle") == 2
    assert "REJECTED E_CONFIG" in capsys.readouterr().err


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (1.0001, 0), (2.0, 2)])
def test_a_model_trained_anew_ends_with_2_where_it_is_another(
    small_contract: ModelContract,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    factor: float,
    status: int,
) -> None:
    from dataclasses import replace

    contract = replace(small_contract, sources=())
    tensors = {"weight": torch.ones(3)}

    def train(data: Path, out: Path, progress: Progress) -> str:
        return save_model(out, {"weight": tensors["weight"] * factor}, contract)

    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    monkeypatch.setitem(TRAININGS, "bae-ecg", Training(train, 0.001))
    save_model(tmp_path / "shipped" / "bae-ecg", tensors, contract)
    out = tmp_path / "out"
    assert as_typed(monkeypatch, "train", "bae-ecg", "--data", tmp_path, "--out", out) == status
    printed = capsys.readouterr()
    assert "Numbers:" in printed.out
    assert ("E_REBUILT" in printed.err) == (status == 2)
    assert ("The same model" in printed.out) == (status == 0)
    assert (out / "model.json").is_file(), "what was trained is kept"
