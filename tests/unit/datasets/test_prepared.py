"""A corpus prepared once: what it holds, what is not computed twice, what survives a kill."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets import trial_workers
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.corpus import Corpus, Exclusion, SubjectTrials
from affectscope.datasets.face_features import face_features
from affectscope.datasets.prepared import (
    PreparedCorpus,
    PreparedSettings,
    PreparedTrial,
    forget,
    person_folder,
    prepare,
)
from affectscope.datasets.prepared_trial import TrialTask, make_trial
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
    write_session,
)
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.errors import InputError, SessionError
from affectscope.io.model_files import face_model
from affectscope.io.session import open_session
from affectscope.models.face_encoder import SmallFaceEncoder
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import ExcludedSpan, Labels, Notice, PersonChoice, Recording, Signal

PREPROCESSING = Preprocessing(minimum_valid=0.4)  # the clips are shorter than a window
SETTINGS = PreparedSettings(PREPROCESSING, rate=5.0, faces=True)
SIGNALS_ONLY = replace(SETTINGS, faces=False)
PEOPLE = ("s1", "s2")


def silent(_share: float, _text: str) -> None:
    pass


def folder_corpus(root: Path) -> Corpus:
    """A corpus over session folders: root / person / clip."""

    def read(subject_id: str) -> SubjectTrials:
        folders = sorted((root / subject_id).iterdir())
        return SubjectTrials(
            subject_id, tuple(open_session(folder).recording for folder in folders)
        )

    def files(subject_id: str) -> tuple[Path, ...]:
        return tuple(sorted(path for path in (root / subject_id).rglob("*") if path.is_file()))

    return Corpus("tiny", root, True, PEOPLE, read, files)


@dataclass
class Counted:
    """The real face model and the real reader, counting how often they are asked."""

    corpus: Corpus
    models: int = 0
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        inner = self.corpus.read_subject

        def read(subject_id: str) -> SubjectTrials:
            self.read.append(subject_id)
            return inner(subject_id)

        self.corpus = replace(self.corpus, read_subject=read)

    def model(self) -> tuple[bytes, bytes]:
        self.models += 1
        return face_model()

    def prepare(self, cache: Path, settings: PreparedSettings = SETTINGS) -> PreparedCorpus:
        return prepare(self.corpus, cache, settings, face_model=self.model, progress=silent)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with two clips of 6 s; to save time, all four show the same."""
    root = tmp_path_factory.mktemp("people")
    first = root / "s1" / "clip1"
    write_session(
        first,
        synthetic_person("s1", 1),
        random_course(6.0, 1),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=5.0),
    )
    for subject_id, clip in (("s1", "clip2"), ("s2", "clip1"), ("s2", "clip2")):
        copy = shutil.copytree(first, root / subject_id / clip)
        stated = (copy / "session.toml").read_text()
        stated = stated.replace('"clip1"', f'"{clip}"').replace('"s1"', f'"{subject_id}"')
        (copy / "session.toml").write_text(stated)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(root: Path, cache: Path) -> PreparedCorpus:
    counted = Counted(folder_corpus(root))
    result = counted.prepare(cache)
    assert counted.models == 1
    return result


def same(one: PreparedTrial, other: PreparedTrial) -> None:
    assert (one.subject_id, one.trial_id, one.key) == (other.subject_id, other.trial_id, other.key)
    assert one.duration == other.duration
    for name in ("times", "targets", "face_present"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.signals.keys() == other.signals.keys()
    for name, signal in one.signals.items():
        np.testing.assert_array_equal(signal.values, other.signals[name].values)
        np.testing.assert_array_equal(signal.valid, other.signals[name].valid)
    if one.faces is not None or other.faces is not None:
        np.testing.assert_array_equal(one.faces, other.faces)


def entries(cache: Path) -> dict[str, int]:
    """Every file in the cache but the memory of hashes, and when it was written."""
    files = [path for path in cache.rglob("*") if path.is_file() and path.name != "hashes.json"]
    return {str(path.relative_to(cache)): path.stat().st_mtime_ns for path in files}


# --- what a trial holds


def test_rows_lie_on_the_grid_of_the_labelled_span(root: Path, prepared: PreparedCorpus) -> None:
    assert [(t.subject_id, t.trial_id) for t in prepared.trials] == [
        (subject, clip) for subject in PEOPLE for clip in ("clip1", "clip2")
    ]
    assert prepared.simulated
    assert prepared.subjects == PEOPLE
    assert prepared.exclusions == ()
    trial = prepared.trials[0]
    np.testing.assert_allclose(trial.times, np.arange(30) / 5, atol=1e-12)
    assert trial.duration == pytest.approx(6.0)
    labels = open_session(root / "s1" / "clip1").recording.labels
    assert labels is not None
    np.testing.assert_array_equal(trial.targets, labels.at(trial.times).astype(np.float32))


def test_a_trial_holds_what_the_window_stream_gives(root: Path, prepared: PreparedCorpus) -> None:
    recording, trial = open_session(root / "s2" / "clip1").recording, prepared.trials[2]
    stream = WindowStream(
        recording=recording,
        body=analyse_body(recording),
        preprocessing=PREPROCESSING,
        face_model=face_model,
        settings=StreamSettings(rate=5.0, batch_size=100),
    )
    batch = next(iter(stream))  # the session's 30 frames lie on the grid
    assert isinstance(trial.faces, np.memmap)
    np.testing.assert_array_equal(trial.faces, batch.inputs["face"])
    np.testing.assert_array_equal(trial.face_present, batch.present["face"])
    assert trial.face_present.mean() > 0.9
    for name, signal in stream.signals().items():
        np.testing.assert_array_equal(trial.signals[name].values, signal.values)
        np.testing.assert_array_equal(trial.signals[name].valid, signal.valid)


def in_memory(recordings: dict[str, list[Recording]]) -> Corpus:
    def read(subject_id: str) -> SubjectTrials:
        if subject_id == "unreadable":
            raise InputError("E_FILE_MISSING", "'P02.mat' does not exist.", "Copy it.")
        return SubjectTrials(
            subject_id,
            tuple(recordings[subject_id]),
            (Exclusion(subject_id, "clip9", "E_NO_LABELS", "never rated"),),
            (Notice("W_UNIT", "the lead was chosen"),),
        )

    return Corpus("tiny", Path("/nowhere"), True, tuple(recordings), read, lambda _: ())


def signals_of(subject_id: str, seed: int, duration: float = 16.0) -> Recording:
    return synthetic_recording(
        synthetic_person(subject_id, seed),
        random_course(duration, seed),
        settings=SyntheticSettings(sampling_rate=128.0),
    )


def test_the_baseline_before_the_labels_is_context_only(tmp_path: Path) -> None:
    recording = signals_of("s1", 1)
    assert recording.ecg is not None
    assert recording.eda is not None
    early = replace(
        recording,
        ecg=replace(recording.ecg, start_time=-5.0),
        eda=replace(recording.eda, start_time=-5.0),
        labels=Labels(np.array([0.0, 10.0]), np.zeros((2, 10))),
    )
    settings = PreparedSettings(Preprocessing(), rate=4.0, faces=False)
    (trial,) = prepare(in_memory({"s1": [early]}), tmp_path, settings, progress=silent).trials
    np.testing.assert_array_equal(trial.times, np.arange(40) / 4)
    assert trial.signals["ecg"].start_time == -5.0
    assert len(trial.signals["ecg"].values) == 16 * 128
    assert trial.faces is None
    assert not trial.face_present.any()


def test_what_cannot_be_used_is_excluded_and_the_others_go_on(tmp_path: Path) -> None:
    whole = signals_of("s1", 1)
    assert whole.ecg is not None
    flat = replace(whole.ecg, values=np.zeros_like(whole.ecg.values))
    corpus = in_memory(
        {
            "s1": [
                replace(whole, trial_id="clip1"),
                replace(whole, trial_id="clip2", labels=None),
                replace(whole, trial_id="clip3", ecg=flat),
                replace(whole, trial_id="clip4", ecg=flat, eda=None),
                replace(whole, trial_id="clip5", ecg=None, eda=None),
            ],
            "unreadable": [],
            "s3": [replace(signals_of("s3", 3), trial_id="clip1")],
        }
    )
    for _ in range(2):  # and the same once more from the cache
        result = prepare(corpus, tmp_path, SIGNALS_ONLY, progress=silent)
        assert [(t.subject_id, t.trial_id, *t.signals) for t in result.trials] == [
            ("s1", "clip1", "ecg", "eda"),
            ("s1", "clip3", "eda"),
            ("s3", "clip1", "ecg", "eda"),
        ]
        assert [(e.subject_id, e.trial_id, e.code, e.modality) for e in result.exclusions] == [
            ("s1", "clip9", "E_NO_LABELS", None),
            ("s1", "clip2", "E_NO_LABELS", None),
            ("s1", "clip5", "E_NO_USABLE_MODALITY", None),
            ("s1", "clip3", "E_SIGNAL_UNUSABLE", "ecg"),
            ("s1", "clip4", "E_SIGNAL_UNUSABLE", "ecg"),
            ("s1", "clip4", "E_NO_USABLE_MODALITY", None),
            ("unreadable", "", "E_FILE_MISSING", None),
            ("s3", "clip9", "E_NO_LABELS", None),
        ]
        assert "s1: the lead was chosen" in {notice.sentence for notice in result.notices}
        assert any(notice.sentence.startswith("s3, clip1: Only") for notice in result.notices)


def test_a_face_seen_too_seldom_is_left_out(root: Path, tmp_path: Path) -> None:
    recording = open_session(root / "s1" / "clip1").recording
    longer = replace(recording, labels=Labels(np.array([0.0, 8.0]), np.zeros((2, 10))))
    corpus = in_memory({"s1": [longer]})
    result = prepare(corpus, tmp_path, SETTINGS, progress=silent)
    (trial,) = result.trials
    assert len(trial.times) == 40
    assert trial.faces is None
    assert not trial.face_present.any()
    (left_out,) = (e for e in result.exclusions if e.modality)
    assert (left_out.code, left_out.modality) == ("E_FACE_SHARE", "face")
    assert "75.0 %" in left_out.sentence


@pytest.mark.parametrize("rate", [0.0, -1.0, 31.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(SessionError, match=r"E_CONFIG.*rows per second"):
        PreparedSettings(PREPROCESSING, rate, faces=False)


def test_nothing_is_prepared_of_a_person_found_by_a_photo() -> None:
    person = PersonChoice("photo", photo=Path("client.jpg"))
    with pytest.raises(SessionError, match=r"E_PERSON.*by a photo.*boxes"):
        PreparedSettings(PREPROCESSING, 5.0, faces=True, person=person)


def test_nothing_is_learnt_from_a_span_that_the_user_left_out(
    root: Path, tmp_path: Path, prepared: PreparedCorpus
) -> None:
    spans = (ExcludedSpan("face", 2.0, 2.5, "hand"), ExcludedSpan("ecg", 1.0, 3.0, "moved"))
    settings = replace(SETTINGS, excluded=spans)
    corpus = in_memory({"s1": [open_session(root / "s1" / "clip1").recording]})
    (trial,) = prepare(corpus, tmp_path, settings, progress=silent).trials
    left_out = (trial.times >= 2.0) & (trial.times < 2.5)
    assert left_out.sum() in (2, 3)
    assert not trial.face_present[left_out].any()
    whole = prepared.trials[0]
    assert trial.key != whole.key
    assert whole.face_present[left_out].all()
    ecg, times = trial.signals["ecg"], whole.signals["ecg"]
    lost = times.valid & ~ecg.valid
    assert abs(lost.sum() / 128.0 - 2.0) < 0.05


# --- nothing is computed twice


def test_a_second_run_reads_only(root: Path, cache: Path, prepared: PreparedCorpus) -> None:
    before = entries(cache)
    counted = Counted(folder_corpus(root))
    again = counted.prepare(cache)
    assert (counted.models, counted.read) == (0, [])
    assert entries(cache) == before
    for one, other in zip(prepared.trials, again.trials, strict=True):
        same(one, other)
    assert again.notices == prepared.notices


def test_a_changed_input_computes_that_trial_only(
    root: Path, cache: Path, prepared: PreparedCorpus, tmp_path: Path
) -> None:
    changed = shutil.copytree(root, tmp_path / "people")
    table = changed / "s2" / "clip1" / "truth.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], lines[-1].replace(lines[-1].split(",")[1], "0.5", 1)]))
    mine = shutil.copytree(cache, tmp_path / "cache")
    before = entries(mine)
    counted = Counted(folder_corpus(changed))
    result = counted.prepare(mine)
    keys = [trial.key for trial in result.trials]
    old = [trial.key for trial in prepared.trials]
    assert [key == was for key, was in zip(keys, old, strict=True)] == [True, True, False, True]
    assert counted.models == 1
    new = {name.split("/")[1] for name in entries(mine).keys() - before.keys()}
    assert {name for name in new if not name.startswith("record-")} == {keys[2]}


def test_other_settings_have_other_entries(root: Path, tmp_path: Path) -> None:
    corpus = folder_corpus(root)

    def keys(settings: PreparedSettings) -> set[str]:
        counted = Counted(corpus)
        found = {trial.key for trial in counted.prepare(tmp_path, settings).trials}
        assert counted.models == 0
        return found

    all_keys = [
        keys(SIGNALS_ONLY),
        keys(replace(SIGNALS_ONLY, rate=4.0)),
        keys(replace(SIGNALS_ONLY, preprocessing=replace(PREPROCESSING, ecg_scaling="minmax"))),
    ]
    assert len(set.union(*all_keys)) == 12
    assert keys(SIGNALS_ONLY) == all_keys[0]


def test_T04_a_damaged_entry_is_noticed_and_computed_again(
    root: Path, cache: Path, prepared: PreparedCorpus, tmp_path: Path
) -> None:
    mine = shutil.copytree(cache, tmp_path / "cache")
    entry = person_folder(mine, "s1") / prepared.trials[1].key
    content = bytearray((entry / "faces.npy").read_bytes())
    content[len(content) // 2] ^= 1
    (entry / "faces.npy").write_bytes(content)
    record = next(person_folder(mine, "s2").glob("record-*")) / "entry.json"
    record.write_bytes(record.read_bytes()[:100])
    counted = Counted(folder_corpus(root))
    result = counted.prepare(mine)
    assert (counted.models, counted.read) == (1, ["s1", "s2"])
    told = [notice.sentence for notice in result.notices if notice.code == "W_CACHE_DAMAGED"]
    assert [sentence[:3] for sentence in told] == ["s1:", "s2:"]
    assert "faces.npy was changed" in told[0]
    for one, other in zip(prepared.trials, result.trials, strict=True):
        same(one, other)


KILLED = """
import os, signal, sys
from pathlib import Path
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.prepared import PreparedSettings, prepare
from affectscope.io.session import open_session
from affectscope.preprocessing.windows import Preprocessing

root, cache = map(Path, sys.argv[1:])
def read(who):
    folders = sorted((root / who).iterdir())
    return SubjectTrials(who, tuple(open_session(folder).recording for folder in folders))
def progress(share, text):
    if share > 0.3:
        os.kill(os.getpid(), signal.SIGKILL)
settings = PreparedSettings(Preprocessing(minimum_valid=0.4), 5.0, False)
corpus = Corpus("tiny", root, True, ("s1", "s2"), read, lambda who: ())
prepare(corpus, cache, settings, progress=progress)
"""


def test_T01_a_killed_run_goes_on(root: Path, tmp_path: Path) -> None:
    corpus = folder_corpus(root)
    whole = prepare(corpus, tmp_path / "whole", SIGNALS_ONLY, progress=silent).trials
    cache = tmp_path / "cache"
    arguments = [sys.executable, "-c", KILLED, str(root), str(cache)]
    assert subprocess.run(arguments, check=False, timeout=200).returncode == -9
    before = entries(cache)
    kept = {name.split("/")[1] for name in before}
    assert {trial.key for trial in whole} & kept == {whole[0].key}
    assert any(name.startswith(".affectscope-sealing-") for name in kept)  # in the midst of one
    result = prepare(corpus, cache, SIGNALS_ONLY, progress=silent)
    for one, other in zip(whole, result.trials, strict=True):
        same(one, other)
    after = entries(cache)
    assert {name: time for name, time in after.items() if name in before} == {
        name: time for name, time in before.items() if ".affectscope-sealing-" not in name
    }
    assert not any(".affectscope-sealing-" in name for name in after)


def test_two_runs_at_once_agree(tmp_path: Path) -> None:
    people = {f"s{n}": [signals_of(f"s{n}", n)] for n in range(4)}

    def run(_number: int) -> PreparedCorpus:
        return prepare(in_memory(people), tmp_path, SIGNALS_ONLY, progress=silent)

    run(0)  # imports are not safe to do twice at once
    for subject_id in people:
        forget(tmp_path, subject_id)
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(run, range(3))
    for other in others:
        for one, two in zip(first.trials, other.trials, strict=True):
            same(one, two)
    counted = Counted(in_memory(people))
    assert len(counted.prepare(tmp_path, SIGNALS_ONLY).trials) == 4
    assert counted.read == []


def test_workers_make_what_one_process_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {"s1": [replace(signals_of("s1", 1), trial_id=f"clip{n}") for n in range(2)]}
    alone = prepare(in_memory(people), tmp_path, SIGNALS_ONLY, progress=silent)
    tasks = [
        TrialTask(recording, SIGNALS_ONLY, tmp_path / "workers" / trial.key)
        for recording, trial in zip(people["s1"], alone.trials, strict=True)
    ]
    shares: list[float] = []
    monkeypatch.setattr(trial_workers, "MOST_WORKERS", 1)
    with trial_workers.TrialWorkers(face_model) as workers:
        workers._make_together(tasks, None, lambda share, _text: shares.append(share))
    assert shares == [0.5, 1.0]
    for task in tasks:
        for path in (person_folder(tmp_path, "s1") / task.folder.name).iterdir():
            assert (task.folder / path.name).read_bytes() == path.read_bytes()


def test_without_the_face_program_nothing_is_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing program is no property of the video."""
    from affectscope.errors import ModelError
    from affectscope.preprocessing import face

    recording = open_session(root / "s1" / "clip1").recording

    def missing(*_arguments: object) -> None:
        raise ModelError("E_EXTRA", "Face detection needs mediapipe.", "Install it.")

    monkeypatch.setattr(face, "require", missing)
    with pytest.raises(ModelError, match="mediapipe"):
        make_trial(TrialTask(recording, SETTINGS, tmp_path / "entry"), (b"", b""))
    assert list(tmp_path.iterdir()) == []


# --- erasure


def test_T16_an_erased_person_is_gone_from_the_cache(
    root: Path, cache: Path, prepared: PreparedCorpus, tmp_path: Path
) -> None:
    mine = shutil.copytree(cache, tmp_path / "cache")
    corpus = folder_corpus(root)
    features_of(prepare(corpus, mine, SETTINGS, progress=silent), SmallFaceEncoder(), mine)
    keys = [trial.key for trial in prepared.trials]
    assert forget(mine, "s1")
    assert not forget(mine, "s1")
    left = "\n".join(str(path) for path in mine.rglob("*"))
    assert not any(key in left for key in keys[:2])
    assert all(key in left for key in keys[2:])
    texts = [path.read_text() for path in mine.rglob("*.json")]
    assert not any('"s1"' in text or "/s1/" in text for text in texts)
    erased = replace(corpus, subjects=("s2",))
    assert prepare(erased, mine, SETTINGS, progress=silent).subjects == ("s2",)


# --- features of a frozen encoder


def features_of(
    prepared: PreparedCorpus, encoder: SmallFaceEncoder, cache: Path
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return face_features(prepared, encoder, "f" * 64, cache, batch=16, progress=silent)


def with_gap(prepared: PreparedCorpus) -> PreparedCorpus:
    """The first trial without a face in rows 3 to 6, the last one without any."""
    first, *middle, last = prepared.trials
    present = first.face_present.copy()
    present[3:7] = False
    absent = replace(last, faces=None, face_present=np.zeros_like(last.face_present))
    return replace(prepared, trials=(replace(first, face_present=present), *middle, absent))


def test_features_are_the_encoders_and_computed_once(
    prepared: PreparedCorpus, tmp_path: Path
) -> None:
    encoder, gappy = SmallFaceEncoder(torch.Generator().manual_seed(0)), with_gap(prepared)
    calls: list[int] = []
    encoder.register_forward_hook(lambda _module, inputs, _output: calls.append(len(inputs[0])))
    features = features_of(gappy, encoder, tmp_path)
    assert sum(calls) == 26 + 30 + 30
    assert encoder.training
    calls.clear()
    again = features_of(gappy, encoder, tmp_path)
    assert calls == []
    for trial in gappy.trials:
        np.testing.assert_array_equal(features[trial.key], again[trial.key])
    assert set(features) == {trial.key for trial in gappy.trials}
    trial = gappy.trials[0]
    assert trial.faces is not None
    with torch.inference_mode():
        direct = encoder.eval()(torch.from_numpy(np.array(trial.faces))).numpy()
    direct[~trial.face_present] = 0.0
    np.testing.assert_allclose(features[trial.key], direct, atol=1e-5)
    assert isinstance(features[trial.key], np.memmap)
    assert features[trial.key].dtype == np.float32
    assert (features[gappy.trials[-1].key] == 0).all()
    assert features[gappy.trials[-1].key].shape == (30, 64)


def test_T04_damaged_features_are_computed_again(prepared: PreparedCorpus, tmp_path: Path) -> None:
    encoder = SmallFaceEncoder(torch.Generator().manual_seed(0)).eval()
    one = replace(prepared, trials=prepared.trials[:1])
    key = one.trials[0].key
    before = np.array(features_of(one, encoder, tmp_path)[key])
    (file,) = tmp_path.rglob("features.npy")
    file.write_bytes(file.read_bytes()[:-8])
    np.testing.assert_array_equal(features_of(one, encoder, tmp_path)[key], before)
    other = face_features(one, encoder, "e" * 64, tmp_path, batch=16, progress=silent)
    assert len(list(tmp_path.rglob("features.npy"))) == 2
    np.testing.assert_array_equal(other[key], before)


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    add: Callable[[float, str], None] = lambda share, text: told.append((share, text))  # noqa: E731
    prepare(in_memory({"s1": [signals_of("s1", 1)]}), tmp_path, SIGNALS_ONLY, progress=add)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert told[0][1] == "Reading s1"
    assert told[1][1].startswith("Preparing s1, ")


def test_a_signal_without_a_value_keeps_its_own_identity(tmp_path: Path) -> None:
    """One sample changed anywhere is another trial."""
    whole = signals_of("s1", 1)
    assert whole.eda is not None
    values = whole.eda.values.copy()
    values[777] += 1e-9
    changed = replace(whole, eda=Signal(values, 128.0, "uS", 0.0))
    keys = {
        prepare(in_memory({"s1": [recording]}), tmp_path / name, SIGNALS_ONLY, progress=silent)
        .trials[0]
        .key
        for name, recording in (("a", whole), ("b", changed), ("c", whole))
    }
    assert len(keys) == 2
