"""The list of models, read without any library that computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from affectscope.models.listing import listed_models
from affectscope.models.shipped import CONTRACT, SHIPPED, ModelContract, save_model


def test_a_model_is_listed_with_its_kind_its_people_and_its_size(
    small_contract: ModelContract, tmp_path: Path
) -> None:
    save_model(tmp_path / "small", {"weight": torch.ones(3)}, small_contract)
    (tmp_path / "no folder").write_text("")
    (found,) = listed_models(tmp_path)
    assert (found.name, found.kind, found.people) == ("small", "stress likelihood", 3)
    assert found.size == sum(path.stat().st_size for path in (tmp_path / "small").iterdir())
    assert found.summary == small_contract.summary


def test_a_damaged_model_is_listed_as_such_beside_the_others(
    small_contract: ModelContract, tmp_path: Path
) -> None:
    for name in ("cut", "empty", "less", "odd", "whole"):
        save_model(tmp_path / name, {"weight": torch.ones(3)}, small_contract)
    contract = tmp_path / "cut" / CONTRACT
    contract.write_bytes(contract.read_bytes()[:-9])
    (tmp_path / "empty" / CONTRACT).unlink()
    (tmp_path / "less" / CONTRACT).write_text("{}")
    (tmp_path / "odd" / CONTRACT).write_text('{"sources": 3}')
    found = {model.name: model for model in listed_models(tmp_path)}
    assert found.pop("whole").kind == "stress likelihood"
    assert len(found) == 4
    for model in found.values():
        assert model.summary.startswith("It cannot be used: ")
        assert model.kind == ""


def test_without_a_folder_nothing_is_listed(tmp_path: Path) -> None:
    assert listed_models(tmp_path / "none") == ()


def test_the_models_of_the_installation_are_listed() -> None:
    assert tuple(model.name for model in listed_models()) == SHIPPED


def test_listing_loads_no_library_that_computes() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from affectscope.cli import app;"
        "result = CliRunner().invoke(app, ['models']); assert result.exit_code == 0, result;"
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
