"""The registry of corpora, finding which one lies in a folder, and the mark of twins."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from affectscope.datasets.corpora import CORPORA, detect_corpus, open_corpus
from affectscope.datasets.corpus_files import matching_files
from affectscope.datasets.corpus_twin import start_twin
from affectscope.errors import InputError

FILES = {
    "amigos": "a/Data_Preprocessed_P01/Data_Preprocessed_P01.mat",
    "deap": "data_preprocessed_python/s01.dat",
    "dreamer": "DREAMER.mat",
    "mahnob": "Sessions/10/session.xml",
    "wesad": "WESAD/S2/S2.pkl",
    "case": "data/interpolated/physiological/sub_1.csv",
}


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_every_corpus_is_known_by_its_files(tmp_path: Path) -> None:
    assert CORPORA.keys() == FILES.keys()
    for name, file in FILES.items():
        assert detect_corpus(touched(tmp_path / name, file, "notes.txt")) == name


def test_none_or_several_corpora_are_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no corpus") as caught:
        detect_corpus(tmp_path)
    assert all(name in caught.value.remedy for name in CORPORA)
    with pytest.raises(InputError, match="deap, wesad"):
        detect_corpus(touched(tmp_path, FILES["wesad"], FILES["deap"]))


def test_what_only_looks_alike_is_not_known(tmp_path: Path) -> None:
    touched(
        tmp_path, "S2/S3.pkl", "session.xml", "s1.dat", "xDREAMER.mat", "physiological/sub_1.csv"
    )
    with pytest.raises(InputError, match="holds no corpus"):
        detect_corpus(tmp_path)


def test_a_corpus_is_opened_by_its_name(tmp_path: Path) -> None:
    touched(tmp_path, FILES["wesad"])
    corpus = open_corpus("wesad", tmp_path)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("wesad", False, ("S2",))
    with pytest.raises(InputError, match="no corpus called 'x\\\\n'") as caught:
        open_corpus("x\n", tmp_path)
    assert caught.value.remedy == "Choose one of amigos, deap, dreamer, mahnob, wesad, case."


@pytest.mark.parametrize("name", CORPORA)
def test_a_folder_without_the_corpus_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_corpus(name, tmp_path)
    assert caught.value.code == "E_CORPUS"


def test_the_registry_loads_no_reader() -> None:
    script = "import sys, affectscope.datasets.corpora; print('scipy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_mark_of_a_twin_is_toml(tmp_path: Path) -> None:
    start_twin(tmp_path / "twin", "deap", {"seed": -3, "text": 'a "b"'})
    marked = tomllib.loads((tmp_path / "twin" / "TWIN.toml").read_text())
    assert marked == {
        "simulated": True,
        "generator": "deap",
        "settings": {"seed": -3, "text": 'a "b"'},
    }


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    touched(tmp_path / "real", "s01.dat")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real", target_is_directory=True)
    found = [path for path, _ in matching_files(tmp_path / "real", r"s01\.dat")]
    assert found == [tmp_path / "real" / "s01.dat"]
