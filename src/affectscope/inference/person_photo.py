"""The rule "photo": how far a face is from the reference photo that session.toml names."""

from __future__ import annotations

from pathlib import Path

from affectscope.preprocessing.chosen_person import PhotoCheck
from affectscope.preprocessing.face import FaceDetector


def photo_check(photo: Path, detector: FaceDetector) -> PhotoCheck:
    """What compares faces with the only one on ``photo``.

    Raises:
        InputError: the photo cannot be read.
        SessionError: E_PERSON where it does not show exactly one face.
        ModelError: E_MODEL_MISSING, E_MODEL_CHECKSUM: run ``affectscope fetch-models --identity``.
    """
    from affectscope.io.photo import read_photo
    from affectscope.models.face_identity import SAME_PERSON, photo_distance

    return PhotoCheck(photo_distance(read_photo(photo), detector), SAME_PERSON)
