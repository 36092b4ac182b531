"""Features around every row of a prepared twin: spans, the cache, leaks, and what they can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectscope.datasets.amigos import open_amigos
from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin
from affectscope.datasets.body_features import (
    BodyFeatures,
    FeatureSettings,
    body_features,
    spans_around,
)
from affectscope.datasets.prepared import PreparedCorpus, forget, person_folder, prepare
from affectscope.datasets.prepared_trial import PreparedSettings
from affectscope.evaluation.leaks import check_features
from affectscope.preprocessing import heart_features, skin_features
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.fg2020_systems import samples_of

SPAN = FeatureSettings(length=12.0)  # the shortest clip of this twin lasts 12.75 s


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """Two people (P09 without ECG in eleven clips) who show and say what they feel."""
    settings = TwinSettings(
        numbers=(3, 9), clip_scale=0.25, long_videos=False, face_clips=(), effect=1.0, noise=0.0,
        designed=0.8, eeg="affect",
    )  # fmt: skip
    twin = open_amigos(write_amigos_twin(tmp_path_factory.mktemp("twin") / "amigos", settings))
    made = PreparedSettings(Preprocessing(), rate=0.5, faces=False)
    return prepare(twin, cache, made, progress=lambda _share, _text: None)


@pytest.fixture(scope="module")
def features(prepared: PreparedCorpus, cache: Path) -> BodyFeatures:
    return body_features(prepared, cache, SPAN)


def test_spans_lie_inside_the_labelled_part_and_hold_their_row(prepared: PreparedCorpus) -> None:
    for length in (4.0, 12.0, 20.0):
        for trial in prepared.trials:
            spans = spans_around(trial, length)
            assert spans.shape == (len(trial.times), 2)
            assert (spans >= 0.0).all()
            assert (spans <= trial.duration).all()
            assert ((spans[:, 0] <= trial.times) & (trial.times <= spans[:, 1])).all()
            np.testing.assert_allclose(np.diff(spans), min(length, trial.duration))
            free = (trial.times > length / 2) & (trial.times < trial.duration - length / 2)
            np.testing.assert_allclose(spans[free].mean(axis=1), trial.times[free])


def test_every_row_has_named_features(prepared: PreparedCorpus, features: BodyFeatures) -> None:
    rows = sum(len(trial.times) for trial in prepared.trials)
    assert features.values.shape == (rows, len(features.names))
    assert len(set(features.names)) == len(features.names)
    sources = [features.of(source) for source in ("heart", "skin", "eeg")]
    assert tuple(name for names in sources for name in names) == features.names
    assert min(map(len, sources)) >= 10
    assert not np.isinf(features.values).any()
    assert (np.isfinite(features.values).mean(axis=0) > 0).mean() > 0.8
    chosen = features.chosen((features.names[4], features.names[1]))
    np.testing.assert_array_equal(chosen, features.values[:, [4, 1]])


def test_what_a_trial_lacks_is_not_measured(
    prepared: PreparedCorpus, features: BodyFeatures
) -> None:
    heart, skin = (np.isfinite(features.chosen(features.of(s))).any(axis=1)
                   for s in ("heart", "skin"))  # fmt: skip
    has_ecg = np.concatenate([np.full(len(t.times), "ecg" in t.signals) for t in prepared.trials])
    np.testing.assert_array_equal(heart, has_ecg)
    assert 0 < (~has_ecg).sum() < len(has_ecg)
    assert skin.all()


def test_no_feature_carries_the_length_of_the_clip(
    prepared: PreparedCorpus, features: BodyFeatures
) -> None:
    check_features(samples_of(prepared), features.values, features.names)


def test_a_feature_that_is_the_same_everywhere_carries_no_length(prepared: PreparedCorpus) -> None:
    """As of an EEG that holds nothing: a mean's rounding must not be taken for the length."""
    samples = samples_of(prepared)
    values = np.broadcast_to(np.linspace(0.1, 2.7, 40), (len(samples), 40))
    check_features(samples, values, [str(number) for number in range(40)])


def test_arousal_is_plain_in_heart_skin_and_brain(
    prepared: PreparedCorpus, features: BodyFeatures
) -> None:
    samples = samples_of(prepared)
    arousal = samples.truth[:, samples.targets.index("arousal")]
    one = samples.subject == "P03"
    for source in ("heart", "skin", "eeg"):
        values = features.chosen(features.of(source))[one]
        high, low = values[arousal[one] > 0], values[arousal[one] < 0]
        gap = np.nanmean(high, axis=0) - np.nanmean(low, axis=0)
        spread = np.sqrt((np.nanvar(high, axis=0) + np.nanvar(low, axis=0)) / 2)
        with np.errstate(invalid="ignore"):
            assert np.nanmax(np.abs(gap / spread)) > 1.5, source


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("body-features-*/*")}


def test_a_second_call_reads_and_other_settings_compute(
    prepared: PreparedCorpus,
    cache: Path,
    features: BodyFeatures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse(*given: object, **named: object) -> None:
        asked.append(given)
        raise RuntimeError("asked again")

    before = times(cache)
    monkeypatch.setattr(heart_features, "heart_features", refuse)
    monkeypatch.setattr(skin_features, "skin_features", refuse)
    again = body_features(prepared, cache, SPAN)
    assert (asked, times(cache)) == ([], before)
    assert again.names == features.names
    np.testing.assert_array_equal(again.values, features.values)
    with pytest.raises(RuntimeError, match="asked again"):
        body_features(prepared, cache, FeatureSettings(length=10.0))


def test_T04_a_damaged_entry_is_computed_again(
    prepared: PreparedCorpus,
    cache: Path,
    features: BodyFeatures,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two, *others = sorted(cache.rglob("body-features-*/features.npy"))
    content = bytearray(one.read_bytes())
    content[-3] ^= 1
    one.write_bytes(content)
    two.write_bytes(two.read_bytes()[:50])
    before = times(cache)
    again = body_features(prepared, cache, SPAN)
    np.testing.assert_array_equal(again.values, features.values)
    assert caplog.text.count("were damaged") == 2
    after = times(cache)
    assert all(after[str(path)] == before[str(path)] for path in others)
    assert len(after) == len(before)


def test_what_is_forgotten_of_a_person_includes_features(
    prepared: PreparedCorpus, tmp_path: Path, cache: Path
) -> None:
    import shutil

    mine = shutil.copytree(cache, tmp_path / "cache")
    body_features(replace(prepared, trials=prepared.trials[:1]), mine, SPAN)
    subject = prepared.trials[0].subject_id
    assert times(person_folder(mine, subject))
    assert forget(mine, subject)
    assert not times(person_folder(mine, subject))


def test_a_corpus_without_trials_has_no_rows(prepared: PreparedCorpus, cache: Path) -> None:
    nothing = body_features(replace(prepared, trials=()), cache, SPAN)
    assert nothing.values.shape == (0, len(nothing.names))
    assert nothing.of("eeg") == ()
