"""The verbs of ``affectscope inspect``; as in ``cli``, heavy rooms are imported inside each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

_FILES = "files"
_REFUSED = 2


class _FilesByDefault(TyperGroup):
    """``inspect PATH ...`` is ``inspect files PATH ...``; a file called amigos goes by ./amigos."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = [_FILES, *args]
        return super().parse_args(ctx, args)


inspect = typer.Typer(
    help="Say what is there, and what cannot be used: inspect PATH ... [--out DIR], or a corpus.",
    no_args_is_help=True,
    cls=_FilesByDefault,
)


@inspect.command(_FILES)
def inspect_files(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, or session folders.")],
    out: Annotated[
        Path | None, typer.Option(help="Where inspect.html with small plots goes; default: none.")
    ] = None,
) -> None:
    """Channels, units, rates, gaps and quality of files; ends with status 2 if one is refused."""
    from affectscope.inspection.files import inspect_paths
    from affectscope.inspection.lines import file_lines
    from affectscope.inspection.page import write_page
    from affectscope.io.files import prepare_folder

    if out is not None:
        prepare_folder(out)
    found = []
    for file in inspect_paths(paths):
        print("\n".join(file_lines(file)))
        found.append(file)
    if out is not None:
        print(f"Page: {write_page(found, out)}")
    if any(file.refusal is not None for file in found):
        raise typer.Exit(_REFUSED)


@inspect.command("amigos")
def inspect_amigos_folder(
    folder: Annotated[Path, typer.Argument(help="The folder that holds AMIGOS.")],
    out: Annotated[Path | None, typer.Option(help="Where Figure 1 goes; default: none.")] = None,
) -> None:
    """What a copy of AMIGOS holds, what is excluded and why; with --out also Figure 1."""
    from affectscope.datasets.amigos import open_amigos
    from affectscope.datasets.amigos_inspection import inspect_amigos, inspection_lines

    for line in inspection_lines(inspect_amigos(open_amigos(folder))):
        print(line)
    if out is not None:
        from affectscope.recipes.fg2020_pictures import reproduce_figure1

        print(f"Figure 1: {reproduce_figure1(folder, out)[0]}")
