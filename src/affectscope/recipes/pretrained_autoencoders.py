"""The Bio Auto-Encoders that come with the program: trained on open recordings of real people.

    affectscope models train bae-ecg --data FOLDER --out OUT

Table II's network (Comas, Aspandi, Binefa, FG 2020), one for ECG and one for EDA. Recordings are
cleaned, resampled to 128 Hz and scaled to [0, 1] each by itself, as every recording of the program;
windows of 1000 samples; the loss is stage 2's of ``training.fit``, the mean squared error. How they
are drawn and trained: ``pretrained_autoencoders_training``.

The people of ``HELD_OUT`` are never learnt from, neither by what ships: so the tables in the
contract are about what ships. They were named before anything was measured. Training takes one
thread and fixed seeds: on the same machine a second run gives the same weights, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from affectscope.datasets.open_recordings import OPEN_SOURCES, SignalName, in_folder
from affectscope.errors import ModelError
from affectscope.models.pretrained_autoencoders import SHIPPED_AUTOENCODERS, AutoencoderContract
from affectscope.models.shipped import DataSource, ModelContract, save_model
from affectscope.recipes.pretrained_autoencoders_results import result_tables
from affectscope.recipes.pretrained_autoencoders_training import (
    PREPROCESSING,
    AutoencoderTraining,
    HeldSignal,
    one_thread,
    read_signals,
    trained,
    window_counts,
)

Progress = Callable[[float, str], None]

HELD_OUT: Mapping[SignalName, tuple[str, ...]] = {
    "ecg": (
        "mitbih/121",
        "mitbih/123",
        "heartpy/e0124",
        "neurokit/bio_resting_5min_100hz",
        "plux/ecg_20_sec",
    ),
    "eda": (*(f"stress_predict/S{number}" for number in range(21, 26)), "plux/eda_slow_signal"),
}
"""People who are only measured on; of each source that has several."""

LIMITS: Mapping[SignalName, tuple[str, ...]] = {
    "ecg": (
        "Most minutes come from the MIT-BIH Arrhythmia Database: people with disturbed rhythms, "
        "two of them with pacemakers, recorded 1975-1979.",
        "neurokit, plux, biosppy and heartpy give 10 s to 5 min per recording and do not say who "
        "was recorded: that their held-out recordings are of other people is not known.",
        "The four recordings of MIT-BIH's person 118 carry added noise; the worst is masked.",
        "Its latent adds little: given another window's latent, it gives a window back nearly as "
        "well. Without indices the same training is little better than a window's mean.",
    ),
    "eda": (
        "Most recordings come from a wristband at 4 Hz: they hold nothing above 2 Hz, and the "
        "wrist sweats less than the fingers.",
        "neurokit, plux and biosppy give 28 to 150 s per recording and do not say who was "
        "recorded: that plux' held-out recording is of another person is not known.",
        "biosppy's converter counts were taken for those of a biosignalsplux hub.",
        "It gives back a window's level more than its shape: most windows are nearly flat, and "
        "their own mean is about as close. Without indices the same training comes closer.",
    ),
}
_FOR_BOTH = (
    "Each recording is scaled by its own range: how large a signal is cannot be seen.",
    "The decoder reads the encoder's max positions, 7,800 bits per window, past the latent.",
    "A decoder trained alike on an encoder that was left as it was drawn gives windows back about "
    "as well: that the encoder learnt something useful was not shown. See the tables.",
    "It reconstructs windows; that its latent tells anything about affect was not shown.",
)


def train_autoencoder(
    name: str,
    data: Path,
    out: Path,
    progress: Progress = lambda _share, _text: None,
    *,
    training: AutoencoderTraining | None = None,
) -> str:
    """Train one of ``SHIPPED_AUTOENCODERS``, measure it on people held out, and save its folder.

    Args:
        data: the folder that holds mitbih/, stress_predict/ and the others.
        training: None trains what ships.

    Returns:
        The model's id.

    Raises:
        ModelError: E_CONFIG for another name.
        InputError: E_CORPUS, E_FILE_MISSING, or any code of a recording that cannot be read.
        OutputError: E_OUTPUT.
    """
    modality, training = _modality(name), training or AutoencoderTraining()
    progress(0.0, "reading recordings")
    signals = read_signals(modality, in_folder(data))
    learnt, held_out = split_by_people(signals)
    with one_thread():
        autoencoder, losses = trained(
            learnt, training, progress=lambda share: progress(0.05 + 0.25 * share, name)
        )
        tables = result_tables(
            autoencoder, learnt, held_out, training=training,
            progress=lambda share, text: progress(0.3 + 0.7 * share, text),
        )  # fmt: skip
    contract = ModelContract(
        name=name,
        kind="bio auto-encoder",
        summary=f"A bio auto-encoder of {modality.upper()} windows (7.8 s), a start of training.",
        population="people",
        sources=sources_of(learnt, data),
        configuration=asdict(AutoencoderContract.of(modality, autoencoder.config, PREPROCESSING)),
        training=asdict(training)
        | {"losses": losses, "windows of each recording": window_counts(learnt, training)}
        | {"held out": [each.recording.name for each in held_out]},
        results=tables,
        limits=(*LIMITS[modality], *_FOR_BOTH),
        licence="Apache-2.0, as the program; name the sources, as their licences ask",
    )
    return save_model(out, autoencoder.state_dict(), contract)


def split_by_people(signals: Sequence[HeldSignal]) -> tuple[list[HeldSignal], list[HeldSignal]]:
    """(learnt from, held out), by ``HELD_OUT``."""
    kept: tuple[list[HeldSignal], list[HeldSignal]] = ([], [])
    for each in signals:
        kept[each.recording.person in HELD_OUT[each.recording.modality]].append(each)
    return kept


def sources_of(signals: Sequence[HeldSignal], data: Path) -> tuple[DataSource, ...]:
    """Whose signals these are, with the files' hashes, in the order of the sources."""
    found = []
    for source in OPEN_SOURCES.values():
        own = [each.recording for each in signals if each.recording.source == source.name]
        if own:
            hashes = {each.path.partition("/")[2]: each.sha256(data) for each in own}
            people = tuple(dict.fromkeys(each.person for each in own))
            found.append(DataSource(source.name, source.citation, source.licence, people, hashes))
    return tuple(found)


def _modality(name: str) -> SignalName:
    for modality, known in SHIPPED_AUTOENCODERS.items():
        if name == known and modality != "face":
            return modality
    raise ModelError(
        "E_CONFIG",
        f"No bio auto-encoder is called {name!a}.",
        f"Choose one of {', '.join(SHIPPED_AUTOENCODERS.values())}.",
    )
