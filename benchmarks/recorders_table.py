"""The table of docs/recorders.md: what ``affectscope inspect`` says of each file of a folder.

    python benchmarks/recorders_table.py ../shared/data

prints it as Markdown. Files of numbered folders (S01, S02, ...) of which the same is to be said
share a row, and their digits are written as question marks.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from affectscope.inspection.facts import (
    ChannelFacts,
    FileFacts,
    PictureFacts,
    SignalFacts,
    VideoFacts,
)
from affectscope.inspection.files import inspect_paths

_LISTED = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("| file | kind | what it holds, or why it is refused |")
    print("|---|---|---|")
    for name, kind, said in merged(
        [
            (Path(file.name).relative_to(folder).as_posix(), kind_of(file), said_of(file))
            for file in inspect_paths([folder])
        ]
    ):
        print(f"| `{name}` | {kind} | {said} |")


def merged(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Rows of numbered folders as one row where kind and text agree for all of them."""
    groups: dict[str, set[tuple[str, str]]] = {}
    for name, kind, said in rows:
        groups.setdefault(pattern(name), set()).add((kind, said))
    found: dict[str, tuple[str, str, str]] = {}
    for name, kind, said in rows:
        shared = pattern(name)
        key = shared if len(groups[shared]) == 1 else name
        found[key] = (key, kind, said)
    return list(found.values())


def pattern(name: str) -> str:
    return re.sub(r"(?<=S)\d\d(?=[/.])", "??", name)


def kind_of(file: FileFacts) -> str:
    return f"`{file.refusal.code}`" if file.refusal is not None else file.kind


def said_of(file: FileFacts) -> str:
    """The facts that hold for the file whatever its length."""
    content = file.content
    if isinstance(content, SignalFacts):
        count = len(content.channels) + len(content.unread)
        usable = [channel for channel in content.channels if channel.refusal is None]
        told = list(dict.fromkeys(f"{rate(channel)}, {unit(channel)}" for channel in usable))
        more = "; ..." if len(told) > _LISTED else ""
        return f"{count} channel{'s' if count > 1 else ''}: " + (
            "; ".join(told[:_LISTED]) + more if told else refusals(content)
        )
    if isinstance(content, VideoFacts):
        stated = f"stated {content.stated_rate:.5g} Hz"
        return f"{content.width} x {content.height}, {content.codec}, {stated}, " + (
            f"measured {content.measured_rate:.5g} Hz" if content.measured_rate else "not measured"
        )
    if isinstance(content, PictureFacts):
        return f"{content.width} x {content.height}, faces: {content.faces}"
    assert file.refusal is not None
    sentence = without_name(file.refusal.sentence, Path(file.name).name)
    return sentence[0].upper() + sentence[1:]


def refusals(content: SignalFacts) -> str:
    """Why no channel can be read as a signal."""
    found = {channel.refusal for channel in content.channels if channel.refusal is not None}
    return "; ".join(sorted(f"`{each.code}`: no signal at an even rate" for each in found))


def without_name(sentence: str, name: str) -> str:
    return sentence.replace(f"'{name}'", "it")


def rate(channel: ChannelFacts) -> str:
    known = channel.stated_rate or channel.measured_rate
    return "rate asked" if known is None else f"{known:.5g} Hz"


def unit(channel: ChannelFacts) -> str:
    return channel.unit or "unit asked"


if __name__ == "__main__":
    main()
