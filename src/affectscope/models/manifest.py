"""manifest.json: the sha256 of every other file of a folder, written last.

A writer that is killed between two files leaves a folder that is refused, never a mixture that
loads. Checkpoints and their engines have one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

MANIFEST = "manifest.json"


def sha256_of(content: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def manifest_of(contents: Mapping[str, bytes]) -> str:
    """The manifest's text for files by name."""
    return json.dumps({name: sha256_of(content) for name, content in contents.items()})


def manifest_problem(manifest: bytes, contents: Mapping[str, bytes]) -> str | None:
    """What is wrong with files, or with their manifest; None where they fit together.

    The manifest is made anew and must be the same, character for character.
    """
    if manifest == manifest_of(contents).encode():
        return None
    for name, content in contents.items():
        if sha256_of(content).encode() not in manifest:
            return f"{name} is not the file that {MANIFEST} describes (sha256)"
    return f"{MANIFEST} is damaged"
