"""Open recordings: who is who, what is read of them, and what is said where they are not there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.open_recordings import (
    OPEN_RECORDINGS,
    OPEN_SOURCES,
    OpenRecording,
    in_folder,
    open_recordings,
)
from affectscope.errors import InputError


def named(name: str, modality: str) -> OpenRecording:
    return next(each for each in OPEN_RECORDINGS if (each.name, each.modality) == (name, modality))


def test_every_recording_has_a_source_with_a_licence_and_a_name_of_its_own() -> None:
    for each in OPEN_RECORDINGS:
        assert each.path.startswith(f"{each.source}/")
        assert OPEN_SOURCES[each.source].licence
        assert OPEN_SOURCES[each.source].citation
    for modality in ("ecg", "eda"):
        names = Counter(each.name for each in open_recordings(modality))
        assert set(names.values()) == {1}


def test_one_person_has_one_name_however_many_files_and_sources() -> None:
    same = {each.person for each in OPEN_RECORDINGS if each.path.startswith("heartpy/118e")}
    assert same == {"mitbih/118"}
    assert named("plux/ecg_20_sec_100_Hz", "ecg").person == "plux/ecg_20_sec"
    assert named("stress_predict/S02/EDA", "eda").person == "stress_predict/S02"
    both = {
        each.person
        for each in OPEN_RECORDINGS
        if each.path == "neurokit/bio_eventrelated_100hz.csv"
    }
    assert len(both) == 1


def test_real_files_are_read_in_physical_units_at_their_rates(real_data: Path) -> None:
    record = named("heartpy/e0103", "ecg").read(real_data)
    assert record.ecg is not None
    assert (record.subject_id, record.ecg.sampling_rate, record.ecg.unit) == (
        "heartpy/e0103",
        250.0,
        "mV",
    )
    assert record.eda is None
    wrist = named("stress_predict/S02/EDA", "eda").read(real_data).eda
    assert wrist is not None
    assert (wrist.sampling_rate, wrist.unit) == (4.0, "uS")


def test_converter_counts_become_what_the_hub_measures(real_data: Path) -> None:
    ecg = named("biosppy/ecg", "ecg").read(real_data).ecg
    assert ecg is not None
    counts = np.loadtxt(real_data / "biosppy" / "ecg.txt")
    assert ecg.unit == "mV"
    np.testing.assert_allclose(ecg.values, (counts / 4096 - 0.5) * 3000 / 1019)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ecg\.txt") as caught:
        named("biosppy/ecg", "ecg").read(tmp_path)
    assert caught.value.code == "E_FILE_MISSING"


def test_a_folder_without_any_source_is_refused_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mitbih") as caught:
        in_folder(tmp_path)
    assert caught.value.code == "E_CORPUS"
    (tmp_path / "plux").mkdir()
    assert in_folder(tmp_path) == tmp_path
