"""A small part of the mutation harness: every format, every kind of damage, our readers.

``benchmarks/mutated_files.py`` runs thousands, beside other readers.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from mutations.damage import KINDS, Field, mutated
from mutations.fields import FIELDS
from mutations.originals import Original, all_originals
from mutations.readers import read
from mutations.readings import Channel, Reading, outcome
from mutations.witnesses import judged

ORIGINALS = {original.name: original for original in all_originals(None)}
ACCEPTED = {"error", "degraded", "unchanged", "undetectable"}


def fields_of(original: Original) -> list[Field]:
    find = FIELDS.get(original.fields)
    return find(original.content) if find else []


@pytest.mark.parametrize("name", ORIGINALS)
def test_F01_F02_F08_F09_F12_F14_P25_V02_V03_V04_damage_is_refused_or_told(
    tmp_path: Path, name: str
) -> None:
    original = ORIGINALS[name]
    path = tmp_path / name
    path.write_bytes(original.content)
    whole = read("affectscope", path, original.sources)
    assert (whole.refused, whole.untyped) == ([], [])
    fields = fields_of(original)
    # HDF5 is read in a process of its own, which takes half a second.
    seeds = range(1000, 1005) if original.fields != "hdf5" else (1001,)
    for seed in seeds:
        changed = mutated(original.content, fields, seed)
        path.write_bytes(changed)
        found = read("affectscope", path, original.sources)
        result = judged(outcome(whole, found), asdict(original), original.content, changed)
        assert result.split(":")[0] in ACCEPTED, (seed, result, found.untyped)


def test_the_same_seed_gives_the_same_damage_of_every_kind() -> None:
    original = ORIGINALS["plain.edf"]
    made = [mutated(original.content, fields_of(original), seed) for seed in range(5)]
    assert made == [mutated(original.content, fields_of(original), seed) for seed in range(5)]
    lengths = [len(content) - len(original.content) for content in made]
    for kind, length in zip(KINDS, lengths, strict=True):
        assert np.sign(length) == {"cut": -1, "delete": -1, "insert": 1}.get(kind, 0)


WHOLE = Channel(np.random.default_rng(1).permutation(200.0 * np.arange(200)), 10.0, 0.0)
LOST = np.where(np.arange(200) == 9, np.nan, WHOLE.values)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (WHOLE, "unchanged"),
        (None, "differs: lost"),
        (Channel(WHOLE.values[:-1], 10.0, 0.0), "differs: lost"),
        (Channel(LOST, 10.0, 0.0), "differs: lost"),
        (Channel(WHOLE.values, 10.1, 0.0), "differs: time"),
        (Channel(WHOLE.values, 10.0, 0.5), "differs: time"),
        (Channel(np.roll(WHOLE.values, 3), 10.0, 0.0), "differs: time"),
        (Channel(WHOLE.values * 2 + 1, 10.0, 0.0), "differs: values"),
        (Channel(np.append(WHOLE.values, 1.0), 10.0, 0.0), "differs: more"),
    ],
)
def test_the_harness_sees_every_silent_loss(found: Channel | None, expected: str) -> None:
    whole = Reading(channels=[WHOLE])
    assert outcome(whole, Reading(channels=[found])) == expected
    assert outcome(whole, Reading(channels=[found], told=["W_MISSING"])) == "degraded"
    assert outcome(whole, Reading(channels=[found], untyped=["KeyError()"])) == "untyped"
    assert outcome(whole, Reading(channels=[None], refused=["E_SIGNAL_FILE"])) == "error"


def test_the_harness_sees_lost_and_displaced_pictures() -> None:
    whole = Reading(pictures=[(n / 20, n) for n in range(40)])
    late = [(time + 0.1 * (n > 20), n) for time, n in whole.pictures]
    assert outcome(whole, Reading(pictures=whole.pictures[:-1])) == "differs: lost"
    assert outcome(whole, Reading(pictures=late)) == "differs: time"
    assert outcome(whole, Reading(pictures=[*whole.pictures])) == "unchanged"


def test_only_a_whole_file_excuses_a_loss() -> None:
    plain, timed = ORIGINALS["plain.csv"], ORIGINALS["timed.csv"]
    rows = [original.content.splitlines(keepends=True) for original in (plain, timed)]
    without = [b"".join(part[:100] + part[105:]) for part in rows]
    verdicts = [
        judged("differs: lost", asdict(original), original.content, changed)
        for original, changed in zip((plain, timed), without, strict=True)
    ]
    assert verdicts == ["undetectable: lost", "silent: lost"]
    cut = plain.content[:-3]
    assert judged("differs: lost", asdict(plain), plain.content, cut) == "silent: lost"
    edf = ORIGINALS["plain.edf"]
    longer = edf.content[:1500] + bytes(108) + edf.content[1500:]
    assert judged("differs: time", asdict(edf), edf.content, longer) == "silent: time"
