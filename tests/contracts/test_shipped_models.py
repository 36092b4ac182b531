"""What every model that comes with the program must hold, whoever made it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from affectscope.models.manifest import MANIFEST
from affectscope.models.shipped import (
    CONTRACT,
    SHIPPED,
    SHIPPED_FOLDER,
    WEIGHTS,
    OpenedModel,
    open_shipped,
)
from affectscope.recipes.card_files import card_lines, write_cards
from affectscope.recipes.model_cards import cards_of
from affectscope.recipes.shipped_models import check_recordings

LARGEST = 10_000_000
"""Bytes of all models together."""


@pytest.fixture(scope="module", params=SHIPPED)
def opened(request: pytest.FixtureRequest) -> OpenedModel:
    return open_shipped(request.param)


def test_the_folder_holds_these_models_and_nothing_else() -> None:
    assert {path.name for path in SHIPPED_FOLDER.iterdir()} == set(SHIPPED)
    for name in SHIPPED:
        found = {path.name for path in (SHIPPED_FOLDER / name).iterdir()}
        assert found == {WEIGHTS, CONTRACT, MANIFEST}


def test_all_together_are_smaller_than_10_MB() -> None:
    files = [path for path in SHIPPED_FOLDER.rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < LARGEST


def test_it_opens_under_its_own_name(opened: OpenedModel) -> None:
    assert opened.contract.name in SHIPPED
    assert (SHIPPED_FOLDER / opened.contract.name / WEIGHTS).is_file()
    assert opened.tensors
    assert all(bool(torch.isfinite(tensor).all()) for tensor in opened.tensors.values())


def test_it_learnt_from_people_and_says_from_whom_under_which_licence(opened: OpenedModel) -> None:
    contract = opened.contract
    assert contract.population == "people"
    assert contract.sources
    for source in contract.sources:
        assert source.people, source.name
        # A person may stand in several sources, as mitbih/118 does, and has one id.
        assert all(re.fullmatch(r"\w+/\S+", person) for person in source.people)
        assert source.citation
        assert source.licence
        assert source.hashes, source.name
        for path, digest in source.hashes.items():
            assert re.fullmatch("[0-9a-f]{64}", digest), path
            assert not Path(path).is_absolute()
            assert ".." not in Path(path).parts


def test_it_says_how_well_it_does_and_what_printed_that(opened: OpenedModel) -> None:
    assert opened.contract.results
    for table in opened.contract.results:
        assert table.command, table.title
        assert table.rows, table.title
        assert all(len(row) == len(table.columns) for row in table.rows), table.title


def test_it_says_what_it_does_not_do_and_under_which_licence_it_is(opened: OpenedModel) -> None:
    contract = opened.contract
    assert contract.limits
    assert contract.licence
    assert contract.training
    assert "not a medical device" in contract.intended_use


def test_its_cards_can_be_shown_and_written(opened: OpenedModel, tmp_path: Path) -> None:
    cards = cards_of(opened.contract.name)
    shown = "\n".join(card_lines(cards.model))
    for table in opened.contract.results:
        assert table.title in shown
    suffixes = ("model-card.md", "data-card.md", "card.html")
    written = [path.name for path in write_cards(cards, tmp_path)]
    assert written == [f"{opened.contract.name}.{suffix}" for suffix in suffixes]


def test_the_recordings_at_hand_are_those_that_it_learnt_from(
    opened: OpenedModel, real_data: Path
) -> None:
    check_recordings(opened.contract, real_data)
