"""The error tree and the one table of stable codes.

Every operation ends OK, DEGRADED (a result plus notices) or REJECTED (one error). Codes never
change their meaning; ``E_`` codes stop a file, a modality or the whole operation, ``W_`` codes
accompany a result.
"""

from __future__ import annotations

import importlib
from types import ModuleType

CODES: dict[str, str] = {
    # the session as a whole
    "E_SESSION": "the session folder or its session.toml cannot be used",
    "E_NO_USABLE_MODALITY": "none of face, ECG and EDA holds usable data",
    "E_QUESTION": "a fact that no file states must be given by the user",
    "E_OUTPUT": "the result cannot be written where it was asked for",
    # any file
    "E_FILE_MISSING": "the file does not exist or is no regular file",
    "E_FILE_EMPTY": "the file holds no data",
    "E_FILE_UNREADABLE": "the file exists and cannot be read",
    "E_INPUT_CHANGED": "the file grew, changed or vanished while it was read",
    "E_TYPE_MISMATCH": "the file's content is not what its name says",
    "E_TYPE_UNKNOWN": "no reader knows this kind of file",
    "E_ARCHIVE": "the archive cannot be opened safely",
    "W_SAME_CONTENT": "two files hold the same content",
    "E_PLUGIN": "a reader that another package offers cannot be used",
    "E_STORED_FILE_CHANGED": "the file is not the one that session.toml describes (sha256)",
    # video
    "E_VIDEO_NO_INDEX": "the video lacks its index; the recording was stopped hard",
    "E_VIDEO_NO_STREAM": "the file holds no video stream",
    "E_VIDEO_CODEC": "the video's codec cannot be decoded here",
    "E_VIDEO_DAMAGED": "the video cannot be decoded",
    "E_DECODER_CRASH": "the separate process that decodes the video failed; the program went on",
    "E_DECODER_TIMEOUT": "the decoder did not go on and was ended",
    "W_FROZEN": "the same picture for a long while; the span is masked",
    "W_NO_PICTURE": "a black, white or uniform picture; the span is masked",
    "W_INTERLACED": "the video is interlaced",
    "W_HDR": "the video has a high dynamic range or an unusual colour space",
    "W_VIDEO_TRUNCATED": "the video ends before the duration that it states",
    "W_VIDEO_DAMAGED": "the decoder reported errors; the spans are masked",
    "W_TIME_RESET": "time stamps go back or repeat",
    "W_CLOCK_UNTRUSTED": "a clock cannot be right and was not used to align modalities",
    "W_NOT_ALIGNED": "nothing shows how a modality lies in time against the others",
    "W_ALIGNMENT": "how a modality was aligned leaves a doubt that the sentence states",
    # tables and signals
    "E_CSV_SHAPE": "the table's rows do not fit together",
    "E_CSV_AMBIGUOUS": "the table's number format cannot be told apart from its content",
    "E_CHANNEL": "the named channel is missing or not unique",
    "E_SAMPLING_RATE": "the sampling rate is missing or impossible",
    "E_UNIT": "the unit is missing, unknown or cannot be converted",
    "E_SIGNAL_FILE": "the signal file is damaged or does not follow its format",
    "E_EDF_SCALE": "an EDF channel has no usable scale",
    "E_MAT_TYPE": "a MATLAB variable is of a kind that is not read (function, object, sparse)",
    "E_PICKLE_CONTENT": "the pickle holds more than arrays and plain containers; it was not run",
    "E_FILE_LIMIT": "reading the file would take more memory or time than one file is given",
    "E_READER_CRASH": "the separate process that reads a file failed; the program went on",
    "W_FILE_TRUNCATED": "the file ends early; complete records were kept",
    "W_FILE_DAMAGED": "a part of the file is damaged and was left out",
    "W_NO_CLOCKSYNC": "a stream has no usable clock offsets; its clock is its own",
    "W_LEFT_OUT": "a part of the file is of a kind that is not read, or too much to be looked at",
    "W_MARKERS_CUT": "event markers were shortened or left out",
    "E_SIGNAL_UNUSABLE": "the signal holds no usable span",
    "E_EDA_IMPLAUSIBLE": "the EDA values cannot be skin conductance in the stated unit",
    "W_UNIT": "the amplitude does not fit the stated unit",
    "W_SAMPLING_RATE": "a second clock or the heart rate contradicts the stated sampling rate",
    "W_FLAT": "a constant span is masked",
    "W_SATURATED": "the sensor was saturated or not on the skin; the span is masked",
    "W_MISSING": "missing or non-numeric samples are masked",
    "W_GAP_UNLOCATED": "samples are missing at an unknown place",
    "W_SAMPLE_COUNTS": "the numbers of samples that the file states do not fit together",
    "W_MARKERS": "the file's event markers are not read",
    "W_NOISE": "the signal is too noisy to be read; the span is masked",
    "W_REPEATED": "a block of samples is there twice",
    "W_CHANNELS_SWAPPED": "two channels look as if they were exchanged",
    "W_RHYTHM": "the heart's rhythm does not allow a measure, which is left out",
    "W_TOO_SHORT": "too short for a measure, which is left out",
    "W_LOW_RATE": "sampled too slowly for a measure, which is left out",
    "W_NO_OVERLAP": "a modality does not cover the whole session",
    "W_EXCLUDED": "a span was left out by the user",
    "W_LOW_COVERAGE": "a modality is usable for less than half of its time",
    # corpora and what is prepared of them
    "E_NO_LABELS": "the trial has no labels to learn from",
    "E_FACE_SHARE": "the face is seen in too little of the trial",
    "W_CACHE_DAMAGED": "an entry of the cache was cut or changed; it was computed again",
    # faces
    "E_NO_FACE": "no face was found",
    "W_FACE_GAPS": "the face was not visible for a while; the spans are masked",
    "W_SEVERAL_FACES": "more than one face was visible",
    "E_PERSON": "the person to follow cannot be found as session.toml says",
    "W_PERSON_LOST": "the person's track broke; nobody is scored until it is sure who it is",
    "W_MODALITY_ABSENT": "the session has no such modality",
    # models
    "E_MODEL_MISSING": "a model file has not been fetched",
    "E_MODEL_CHECKSUM": "a model file differs from the published one",
    "E_CHECKPOINT": "the checkpoint is damaged, incomplete or of an unknown version",
    "E_CHECKPOINT_PICKLE": "the file is a pickle, which is never loaded",
    "E_FACE_FILE": "a face encoder's file, or what is stated of it, cannot be used",
    "E_ENGINE": "an engine of a checkpoint is damaged, not there, or cannot be used here",
    "E_CALIBRATION": "too few faces or people to calibrate on, or to measure on",
    "E_REBUILT": "a model that was trained anew is not the one that ships",
    "E_WEIGHTS": "pretrained weights are missing and were not waived",
    "E_POPULATION": "the weights were not fitted on people like this one",
    "E_CONFIG": "a configuration value is not allowed",
    # training
    "E_RUN_LOCKED": "another process is at work in this folder",
    "E_RUN_CHANGED": "the folder's run was started with another question",
    "E_TRAINING_DIVERGED": "the training's loss stayed no number",
    "E_MEMORY": "there is too little memory for the smallest step",
    "W_NO_AFFECT_SCORE": "no affect score was computed",
    "W_NO_STRESS_LIKELIHOOD": "no stress likelihood was estimated",
    "W_FORCED_SCORE": "affect was scored by force with weights not meant for this session",
    # corpora
    "E_CORPUS": "the folder does not hold the corpus in its published layout",
    "W_CORPUS": "what was found differs from what is known of the corpus",
    "W_ASSUMED": "a fact that no file states was chosen by a test on the data",
    "W_NO_LABELS": "a trial has no self-assessment and is left out",
    "W_VIDEO_LENGTH": "a video is longer or shorter than the signals of its trial",
    # experiments
    "E_SOURCE": "the data lack a modality that the system needs",
    "E_PROTOCOL": "the samples do not allow this protocol",
    "E_EVALUATION": "the table of predictions cannot be evaluated in this way",
    "E_LEAK_SUBJECT": "a test person is also trained or validated on",
    "E_LEAK_WINDOWS": "windows of one trial overlap across the sides of a split",
    "E_LEAK_CLIP": "a clip that the protocol holds out is also trained or validated on",
    "E_LEAK_FITTED": "a fitted part has seen test people or test trials",
    "E_LEAK_THRESHOLD": "a threshold or a calibration was taken from test labels",
    "E_LEAK_DURATION": "a feature carries the length of the clip",
    # studies of many sessions
    "E_STUDY": "the study's folder, or a result in it, cannot be used",
    "E_TASK_CRASH": "the separate process that worked on a session failed twice; it is set aside",
    "E_TASK_TIMEOUT": "a session did not go on and was set aside",
    "E_DUPLICATE_SESSION": "two sessions hold the same recordings; only the first one counts",
    "E_QUESTIONNAIRE": "a table of questionnaire answers cannot be read or scored",
    "W_QUESTIONNAIRE": "answers are missing or not allowed; a total is left out or estimated",
    "W_PHASE_COVERAGE": "too little of a compared phase is usable",
    "W_NO_PDF": "a page could not be written as PDF",
    # the database and its rules
    "E_DATABASE": "the database is damaged, of a newer version, or cannot be reached",
    "E_BUSY": "other work keeps the database busy",
    "E_DISK_FULL": "the disk is full; nothing was half saved",
    "E_DONE_ALREADY": "the same request was carried out before",
    "E_CONFLICT": "somebody else changed it meanwhile, or it exists already",
    "E_NOT_FOUND": "there is no such thing, or not for this user",
    "E_VALUE": "a value is not allowed",
    "E_CONSENT": "the person has not allowed this, or no longer does",
    "E_PURPOSE": "the program must not be used for this purpose",
    # the page
    "E_SERVE": "the server does not start like this",
    "E_LOGIN": "nobody is logged in, or name and password do not fit",
    "E_ACCESS": "the user's role does not allow this",
    "E_ORIGIN": "the request does not come from the program's own page",
    "E_TOO_MANY": "too many tries in a short time",
    "E_TOO_LARGE": "more was sent than is taken",
    "E_UPLOAD": "a piece of an upload does not fit",
    "E_REQUEST": "the request cannot be understood",
    "E_INTERNAL": "a fault of the program; the log tells more",
    # installation
    "E_EXTRA": "an optional part is not installed",
}


class AffectScopeError(Exception):
    """An expected failure: a stable code, what is wrong, and what to do about it.

    ``str(error)`` reads "CODE: sentence remedy". ``code`` must be in ``CODES``.
    """

    def __init__(self, code: str, sentence: str, remedy: str = "") -> None:
        assert code in CODES, f"unknown code {code}"
        self.code = code
        self.sentence = sentence
        self.remedy = remedy
        super().__init__(f"{code}: {sentence} {remedy}".rstrip())

    def __reduce__(self) -> tuple[type[AffectScopeError], tuple[str, str, str]]:
        """Errors travel between processes with what they were made of."""
        return type(self), (self.code, self.sentence, self.remedy)


class InputError(AffectScopeError):
    """A file that somebody handed in cannot be used."""


class SessionError(AffectScopeError):
    """A session cannot be opened, understood or assessed."""


class ModelError(AffectScopeError):
    """A model file, checkpoint or model configuration cannot be used."""


class EvaluationError(AffectScopeError):
    """An experiment cannot be split, run or compared as asked."""


class LeakError(AffectScopeError):
    """Something of the test side is known on the training side; the code names the leak."""


class OutputError(AffectScopeError):
    """A result cannot be written."""


class StoreError(AffectScopeError):
    """The database refuses: a rule, a conflict, or its own state."""


class ConflictError(StoreError):
    """Somebody else saved meanwhile: ``yours`` was not saved, ``theirs`` stands, as ``version``."""

    def __init__(self, yours: object, theirs: object, version: int) -> None:
        super().__init__(
            "E_CONFLICT",
            "Somebody else changed this meanwhile. Your version was not saved, theirs stands.",
            "Compare both, then save again.",
        )
        self.detail = {"yours": yours, "theirs": theirs, "version": version}


class WebError(AffectScopeError):
    """A request to the page is refused."""


class MissingExtraError(AffectScopeError):
    """An optional dependency is not installed."""


def require(package: str, purpose: str, extra: str) -> ModuleType:
    """Import an optional dependency where it is used.

    Raises:
        MissingExtraError: ``E_EXTRA``, one sentence that names the extra to install.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            "E_EXTRA",
            f"{purpose} needs {package.split('.')[0]} ({error}).",
            f"Install it with: pip install 'affectscope[{extra}]'",
        ) from error
