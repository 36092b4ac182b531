"""Cards as files and on a terminal: all that they say is there, and nothing from outside acts."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from affectscope.errors import ModelError, OutputError
from affectscope.inference.missing_modality import CONTRACT, FOLDER, TITLE, MissingModality
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.models.manifest import MANIFEST, manifest_of
from affectscope.models.shipped import ModelContract, ResultTable, save_model
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.card_files import card_lines, card_markdown, cards_html, write_cards
from affectscope.recipes.model_cards import Cards, cards_of

TINY = BMMNConfig(variant="bmmn_bae_1", modalities=("eda",), window_samples=602)
DESCRIBED = Checkpoint(
    config=TINY,
    preprocessing=Preprocessing(window_samples=602, ecg_scaling="minmax"),
    population="simulated people",
    training_subjects=("S01", "S02"),
    data_hashes={"S01/eda": "ab" * 32},
    licence="CC0-1.0",
    limits=("Simulated people only.",),
    training={"settings": {"epochs": [1, 2, 3]}},
)


@pytest.fixture
def cards(small_contract: ModelContract, tmp_path: Path) -> Cards:
    save_model(tmp_path / "small", {"weight": torch.ones(3)}, small_contract)
    return cards_of(str(tmp_path / "small"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, BMMN(TINY, torch.Generator().manual_seed(0)), DESCRIBED)
    return folder


def test_the_files_hold_both_cards(cards: Cards, tmp_path: Path) -> None:
    written = write_cards(cards, tmp_path / "out")
    assert [path.name for path in written] == [
        "small.model-card.md", "small.data-card.md", "small.card.html",
    ]  # fmt: skip
    model, data, page = (path.read_text() for path in written)
    for text in (model, page):
        assert "Balanced accuracy, leave one person out" in text
        assert "Cost of a missing modality" in text
        assert "affectscope models train small" in text
        assert "Wrist device only." in text
        assert "not a medical device" in text
    for text in (data, page):
        assert "ab" * 32 in text
        assert "CC0-1.0" in text
        assert "wrist: S01, S02" in text
    assert "0.71" in page
    assert "| both | 0.71 \\[0.66, 0.76\\] |" in model
    assert "simulated" not in (model + data + page).replace("banner.simulated", "").lower()


def test_a_terminal_gets_tables_in_columns(cards: Cards) -> None:
    lines = card_lines(cards.model)
    place = lines.index("  Balanced accuracy, leave one person out")
    assert lines[place + 1 : place + 5] == [
        "    features  balanced accuracy",
        "    both      0.71 [0.66, 0.76]",
        "    chance    0.50",
        "    printed by: affectscope models train small",
    ]
    assert "  Cost of a missing modality, mean absolute error" in lines


def test_W09_texts_of_a_contract_are_texts_in_every_card(
    small_contract: ModelContract, tmp_path: Path
) -> None:
    evil = "<script>alert(1)</script> [x](javascript:1) | `code`"
    source = replace(small_contract.sources[0], citation=evil, hashes={evil: "00"})
    table = replace(small_contract.results[0], title=evil, rows=((evil, evil),), command=evil)
    contract = replace(
        small_contract, name=f"../{evil}", summary=evil, sources=(source,), results=(table,),
        limits=(evil,), configuration={evil: evil},
    )  # fmt: skip
    save_model(tmp_path / "evil", {"weight": torch.ones(3)}, contract)
    cards = cards_of(str(tmp_path / "evil"))
    assert all(path.parent == tmp_path / "out" for path in write_cards(cards, tmp_path / "out"))
    page = cards_html((cards.model, cards.data))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8
    for card in (cards.model, cards.data):
        text = card_markdown(card)
        assert "<script" not in text.replace("\\<script", "")
        assert "[x](" not in text.replace("\\[x\\](", "")


def test_a_checkpoint_tells_its_network_and_whom_it_was_fitted_on(checkpoint: Path) -> None:
    cards = cards_of(str(checkpoint))
    text = "\n".join(card_lines(cards.model))
    for told in (
        "BMMN-BAE-1", "Sees: eda", "Estimates: valence, arousal", "CC0-1.0", "2 simulated people",
        "no number here is about a human being", "Simulated people only.", "PyTorch alone",
        "no intervals", "settings.epochs", "1, 2, 3",
    ):  # fmt: skip
        assert told in text
    data = card_markdown(cards.data)
    assert "S01, S02" in data
    assert "ab" * 32 in data
    assert "no number here is about a human being" in data


def test_what_cannot_be_used_in_a_checkpoint_is_told_and_the_rest_is_shown(
    checkpoint: Path,
) -> None:
    engine = checkpoint / "engines" / "openvino-int8"
    engine.mkdir(parents=True)
    (engine / "engine.json").write_text("{")
    (checkpoint / "calibration.json").write_text("{")
    text = "\n".join(card_lines(cards_of(str(checkpoint)).model))
    assert "E_ENGINE: The engine 'openvino-int8' cannot be used" in text
    assert "E_CHECKPOINT: 'calibration.json' cannot be used" in text
    assert "BMMN-BAE-1" in text


def test_the_cost_of_a_missing_modality_is_told(checkpoint: Path, tmp_path: Path) -> None:
    """What ``models missing`` wrote is printed with the other figures; what it did not, is told."""
    config = BMMNConfig(variant="bmmn_bae_1", modalities=("ecg", "eda"), window_samples=602)
    both = tmp_path / "both"
    described = replace(DESCRIBED, config=config)
    checkpoint_id = save_checkpoint(both, BMMN(config, torch.Generator().manual_seed(0)), described)
    assert "Not measured" in "\n".join(card_lines(cards_of(str(both)).model))
    assert "Not measured" not in "\n".join(card_lines(cards_of(str(checkpoint)).model))
    table = ResultTable(TITLE, ("Without", "Target"), (("ecg", "arousal"),), "models missing")
    measured = MissingModality(checkpoint_id, ("S03",), {}, table)
    text = json.dumps(asdict(measured))
    (both / FOLDER).mkdir()
    (both / FOLDER / CONTRACT).write_text(text)
    (both / FOLDER / MANIFEST).write_text(manifest_of({CONTRACT: text.encode()}))
    lines = card_lines(cards_of(str(both)).model)
    place = lines.index(f"  {TITLE}")
    assert lines[place + 2] == "    ecg      arousal"
    (both / FOLDER / CONTRACT).write_text("{}")
    assert "E_CHECKPOINT: 'missing' cannot be used" in "\n".join(
        card_lines(cards_of(str(both)).model)
    )


def test_what_is_no_model_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=r"E_CONFIG.*'nowhere'"):
        cards_of("nowhere")
    with pytest.raises(ModelError, match=r"E_CHECKPOINT.*model\.json"):
        cards_of(str(tmp_path))
    (checkpoint / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        cards_of(str(checkpoint))


def test_a_folder_that_cannot_be_written_is_told(cards: Cards, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="E_OUTPUT"):
        write_cards(cards, tmp_path / "file")
