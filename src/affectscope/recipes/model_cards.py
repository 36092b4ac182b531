"""From what a user calls a model, a name or a folder, to its two cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from affectscope.errors import ModelError
from affectscope.models import checkpoint, shipped
from affectscope.models.card import Card, data_card, model_card
from affectscope.recipes.checkpoint_card import checkpoint_card, checkpoint_data_card


@dataclass(frozen=True)
class Cards:
    """``name``: what the cards' files are called."""

    name: str
    model: Card
    data: Card


def cards_of(asked: str) -> Cards:
    """The cards of a model that comes with the program, of a model's folder or of a checkpoint's.

    Args:
        asked: a name in ``SHIPPED``, or a folder; "./NAME" is always a folder.

    Raises:
        ModelError: E_CONFIG where there is neither such a name nor such a folder; E_CHECKPOINT or
            E_CHECKPOINT_PICKLE where it cannot be used.
    """
    folder = Path(asked)
    if asked in shipped.SHIPPED:
        return _of_model(shipped.open_shipped(asked))
    if not folder.is_dir():
        raise ModelError(
            "E_CONFIG",
            f"No model and no folder is called {asked!a}.",
            f"Name one of {', '.join(shipped.SHIPPED)}, or a model's or a checkpoint's folder.",
        )
    if (folder / checkpoint.CONTRACT).exists():
        opened = checkpoint.open_checkpoint(folder)
        name = f"checkpoint-{opened.checkpoint_id}"
        return Cards(name, checkpoint_card(folder, opened), checkpoint_data_card(opened))
    return _of_model(shipped.open_model(folder))


def _of_model(opened: shipped.OpenedModel) -> Cards:
    contract = opened.contract
    safe = "".join(
        letter if letter.isalnum() or letter in "-_" else "-" for letter in contract.name
    )
    return Cards(safe or "model", model_card(opened), data_card(contract))
