"""The verbs ``affectscope models ...``; as in ``cli``, heavy rooms are imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affectscope.cli_options import Out
from affectscope.progress import progress_bar

models = typer.Typer(
    help="The models that come with the program: a list, their cards, and training them anew.",
    invoke_without_command=True,
)

Asked = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER",
        help="A model's name, or the folder of a model or of a checkpoint.",
    ),
]


@models.callback()
def listed(context: typer.Context) -> None:
    """The models that come with the program: a list, their cards, and training them anew."""
    if context.invoked_subcommand is not None:
        return
    from affectscope.models.listing import listed_models

    for model in listed_models():
        print(
            f"{model.name}: {model.kind or 'unknown'}, {model.people} people, {model.size:,} bytes"
        )
        print(f"  {model.summary}")
    print("affectscope models show NAME tells more. Research use, not a medical device.")


@models.command()
def show(asked: Asked) -> None:
    """Print a model's card: whom it learnt from, its results."""
    from affectscope.recipes.card_files import card_lines
    from affectscope.recipes.model_cards import cards_of

    for line in card_lines(cards_of(asked).model):
        print(line)


@models.command()
def card(asked: Asked, out: Out) -> None:
    """Write a model card and a data card: Markdown, and one page."""
    from affectscope.recipes.card_files import write_cards
    from affectscope.recipes.model_cards import cards_of

    for path in write_cards(cards_of(asked), out):
        print(f"Written: {path}")


@models.command()
def train(
    name: Annotated[str, typer.Argument(help="A model that comes with the program.")],
    data: Annotated[
        Path, typer.Option(help="The folder that holds stress_predict, mitbih, neurokit ...")
    ],
    out: Out,
) -> None:
    """Train a shipped model anew, and compare the two."""
    from affectscope.recipes.shipped_models import rebuilt

    with progress_bar(f"training {name}") as reached:
        comparison = rebuilt(name, data, out, reached)
    for line in comparison.lines:
        print(line)
    print(f"Written: {out}")
    comparison.check()
    print("The same model, within the tolerance.")


@models.command()
def missing(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint's folder.")],
    sessions: Annotated[
        list[Path],
        typer.Argument(help="Labelled session folders of people that it has not learnt from."),
    ],
    rate: Annotated[float, typer.Option(min=0.1, max=30, help="Scored times per second.")] = 1.0,
) -> None:
    """Measure what a checkpoint loses without a modality."""
    from affectscope.recipes.card_files import result_lines
    from affectscope.recipes.missing_modality import measure_missing

    with progress_bar("scoring") as reached:
        measured = measure_missing(checkpoint, sessions, rate=rate, progress=reached)
    for line in result_lines(measured.table):
        print(line)
