"""BMMN and its two versions with auto-encoders: face, ECG and EDA -> ten targets.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001, section III.

==========  ==========================================  =====  ==================
variant     features, in this order                     width  head's parameters
==========  ==========================================  =====  ==================
bmmn        face, Bio Network of ECG and of EDA         7352   73,530
bmmn_bae_1  face, latent of ECG and of EDA              2304   23,050
bmmn_bae_2  all of the above: face, networks, latents   7608   76,090
==========  ==========================================  =====  ==================

The widths are those with ResNet-50 (2048), Bio Networks (2652 each) and BAEs (128 each); the
features are concatenated and one fully connected layer gives the ten targets.

Where the paper is silent, and what we do:
1. A row that lacks a modality gets zeros for its features, and what its input holds, NaN
   included, cannot reach the targets or a batch statistic.
2. The targets are linear outputs, as an L2 loss on ratings in [-1, 1] and emotions in [0, 1] asks
   for. They are clipped to those ranges when they are predicted, not here.
3. ``hidden`` > 0 puts one ReLU layer of that size before the targets; the paper has none, so 0.
4. Modalities may be left out: "faces only" (2048) and "bio only" (5304) are the paper's own.

Legend: N rows, W window samples, F features, M modalities, T targets, H picture side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn, get_args

import torch
from torch import Tensor, nn

from affectscope.errors import ModelError
from affectscope.models.bio_autoencoder import (
    BioAutoEncoder,
    BioAutoEncoderConfig,
    Encoded,
    Unpooling,
    lengths_before_pools,
)
from affectscope.models.bio_network import BioNetwork, feature_count
from affectscope.models.face_encoder import (
    FACE_ENCODERS,
    FaceEncoder,
    build_face_encoder,
    face_width,
    given_width,
)
from affectscope.models.initialisation import initialise_uniformly
from affectscope.records import MODALITIES, TARGETS, Modality

Variant = Literal["bmmn", "bmmn_bae_1", "bmmn_bae_2"]

LONGEST_WINDOW = 16_384
LARGEST_HIDDEN = 4_096


@dataclass(frozen=True)
class BMMNConfig:
    """What a BMMN is built from. The defaults are the paper's best system.

    Attributes:
        variant: "bmmn", "bmmn_bae_1" or "bmmn_bae_2".
        modalities: what the network sees; a subset of ``MODALITIES``.
        face_encoder: a name in ``FACE_ENCODERS``, or ``face_encoder.given_name``.
        window_samples: W of the ECG and EDA windows, even.
        targets: a subset of ``TARGETS``, in the order of the outputs.
        unpooling: how the auto-encoders' decoders undo a pool.
        hidden: size of a layer before the targets, 0 for none.

    Raises:
        ModelError: E_CONFIG; the sentence has the bad value, the remedy lists the choices.
    """

    variant: Variant = "bmmn_bae_2"
    modalities: tuple[Modality, ...] = MODALITIES
    face_encoder: str = "resnet50"
    window_samples: int = 1000
    targets: tuple[str, ...] = TARGETS
    unpooling: Unpooling = "indices"
    hidden: int = 0

    def __post_init__(self) -> None:
        _check_choice("variant", self.variant, get_args(Variant))
        if given_width(self.face_encoder) is None:
            _check_choice("face_encoder", self.face_encoder, tuple(FACE_ENCODERS))
        _check_choice("unpooling", self.unpooling, get_args(Unpooling))
        _check_subset("modalities", self.modalities, MODALITIES)
        _check_subset("targets", self.targets, TARGETS)
        _check_range("window_samples", self.window_samples, (_shortest_window(), LONGEST_WINDOW))
        _check_range("hidden", self.hidden, (0, LARGEST_HIDDEN))
        if self.window_samples % 2:
            _refuse("window_samples", self.window_samples, "an even number")

    @property
    def body(self) -> tuple[Modality, ...]:
        """The signals among the modalities, in the order of ``MODALITIES``."""
        return tuple(name for name in MODALITIES if name in self.modalities and name != "face")

    @property
    def uses_bio_networks(self) -> bool:
        return self.variant != "bmmn_bae_1" and bool(self.body)

    @property
    def uses_autoencoder(self) -> bool:
        return self.variant != "bmmn" and bool(self.body)

    @property
    def autoencoder(self) -> BioAutoEncoderConfig:
        """What each signal's BAE is built from."""
        return BioAutoEncoderConfig(window_samples=self.window_samples, unpooling=self.unpooling)

    @property
    def feature_widths(self) -> dict[str, int]:
        """Features of each encoder in the order in which they are concatenated."""
        widths = {}
        if "face" in self.modalities:
            widths["face"] = face_width(self.face_encoder)
        if self.uses_bio_networks:
            widths |= dict.fromkeys(self.body, feature_count(self.window_samples))
        if self.uses_autoencoder:
            latents = [f"{name} latent" for name in self.body]
            widths |= dict.fromkeys(latents, self.autoencoder.latent)
        return widths


class BMMNOutput(NamedTuple):
    """targets (N, T), and of each signal with a BAE its reconstruction (N, 1, W).

    In rows where the signal is absent the reconstruction means nothing: leave them out of a loss.
    """

    targets: Tensor
    reconstructions: dict[Modality, Tensor]


class _Batch(NamedTuple):
    """One modality of a batch: values (N, ...), and where (N,) bool it is there."""

    values: Tensor
    where: Tensor


class BMMN(nn.Module):
    """The paper's network in one of its variants, with fresh weights.

    Args:
        generator: draws the weights; None is torch's global one (``torch.manual_seed``).
        with_face: False leaves out the face encoder; then only shares can be computed.
    """

    def __init__(
        self,
        config: BMMNConfig,
        generator: torch.Generator | None = None,
        *,
        with_face: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.face: FaceEncoder | None = None
        if "face" in config.modalities and with_face:
            self.face = build_face_encoder(config.face_encoder, generator)
        self.bio_networks = nn.ModuleDict()
        self.autoencoders = nn.ModuleDict()
        for name in config.body:
            if config.uses_bio_networks:
                self.bio_networks[name] = BioNetwork(generator)
            if config.uses_autoencoder:
                self.autoencoders[name] = BioAutoEncoder(config.autoencoder, generator)
        self.head = _head(config)
        initialise_uniformly(self.head, generator)

    def forward(
        self, inputs: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor] | None = None
    ) -> BMMNOutput:
        """Targets and reconstructions; ``estimate`` gives the targets alone, for less work.

        Args:
            inputs: "face" (N, 3, H, H) uint8 or float in [0, 1]; "ecg" and "eda" (N, 1, W) float
                in [0, 1]. An absent key is an absent modality; keys of modalities that the network
                does not use are ignored.
            present: (N,) bool per modality; False is an absent modality in that row, whatever its
                input holds. An absent key means True in every row.
        """
        batch = self._batch(inputs, present or {})
        encoded = self._encoded(batch)
        return BMMNOutput(self._targets(batch, encoded), self._reconstructions(encoded))

    def estimate(
        self, inputs: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor] | None = None
    ) -> Tensor:
        """The targets (N, T) of ``forward``, without decoding anything."""
        batch = self._batch(inputs, present or {})
        return self._targets(batch, self._encoded(batch))

    def reconstruct(
        self, inputs: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor] | None = None
    ) -> dict[Modality, Tensor]:
        """The reconstructions of ``forward``, without face encoder, Bio Networks and head."""
        batch = self._batch(inputs, present or {})
        return self._reconstructions(self._encoded(batch))

    def autoencoder(self, name: Modality) -> BioAutoEncoder:
        """The BAE of a signal."""
        autoencoder = self.autoencoders[name]
        assert isinstance(autoencoder, BioAutoEncoder)
        return autoencoder

    @property
    def head_inputs(self) -> int:
        """O, the outputs of the head's first layer: the targets, or a hidden layer."""
        return self.config.hidden or len(self.config.targets)

    def head_weights(self, features: str) -> Tensor:
        """(O, F) of the head's first layer for some features, by the names of
        ``config.feature_widths``."""
        widths = self.config.feature_widths
        place = list(widths).index(features)
        return torch.split(self._first.weight, list(widths.values()), dim=1)[place]

    def finished(self, shares: Tensor) -> Tensor:
        """Targets (N, T) from the sum of all shares (N, O): the first layer's products without its
        bias."""
        targets: Tensor = self.head[1:](shares + self._first.bias)
        return targets

    @property
    def _first(self) -> nn.Linear:
        layer = self.head[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def encoders(self) -> dict[str, nn.Module]:
        """The parts that make features: "face", "bio_networks.ecg", "autoencoders.ecg", ..."""
        found: dict[str, nn.Module] = {} if self.face is None else {"face": self.face}
        for group in ("bio_networks", "autoencoders"):
            parts = getattr(self, group).items()
            found |= {f"{group}.{name}": encoder for name, encoder in parts}
        return found

    def load_encoders(self, other: BMMN) -> None:
        """Take over the weights of every encoder that the other network has too; heads stay."""
        theirs = other.encoders()
        for name, encoder in self.encoders().items():
            if name in theirs:
                encoder.load_state_dict(theirs[name].state_dict())

    def _batch(
        self, inputs: Mapping[Modality, Tensor], present: Mapping[Modality, Tensor]
    ) -> dict[Modality, _Batch]:
        """The modalities that the network uses, whether the inputs have them or not."""
        counts = {len(values) for values in inputs.values()}
        assert len(counts) == 1, f"the inputs of a batch have one number of rows, not {counts}"
        device = next(iter(inputs.values())).device
        everywhere = torch.ones(counts.pop(), dtype=torch.bool, device=device)
        batch = {}
        for name in self.config.modalities:
            values = inputs.get(name)
            where = ~everywhere if values is None else present.get(name, everywhere)
            if name != "face":
                values = self._windows(values, where)
            elif values is None:
                values = torch.zeros(0, device=device)
            batch[name] = _Batch(values, where)
        return batch

    def _windows(self, values: Tensor | None, where: Tensor) -> Tensor:
        """(N, 1, W), zeros in place of whatever a row without the signal holds, NaN included."""
        shape = (len(where), 1, self.config.window_samples)
        if values is None:
            return torch.zeros(shape, device=where.device)
        assert values.shape == shape, f"windows are {shape}, not {tuple(values.shape)}"
        return torch.where(where[:, None, None], values, 0.0)

    def _encoded(self, batch: Mapping[Modality, _Batch]) -> dict[Modality, Encoded]:
        return {
            name: self.autoencoder(name).encode(batch[name].values)
            for name in self.config.body
            if self.config.uses_autoencoder
        }

    def combined(
        self, features: Mapping[str, Tensor], present: Mapping[Modality, Tensor]
    ) -> Tensor:
        """Targets (N, T) from the encoders' features, however they were computed.

        Args:
            features: (N, F) each, by the names of ``config.feature_widths``.
            present: (N,) bool of every modality that the network uses.
        """
        columns = []
        for name in self.config.feature_widths:
            modality: Modality = name.split()[0]  # type: ignore[assignment]
            # Where a modality is absent its features are zeros, whatever they hold.
            columns.append(torch.where(present[modality][:, None], features[name], 0.0))
        targets: Tensor = self.head(torch.cat(columns, dim=1))
        return targets

    def _features(
        self, batch: Mapping[Modality, _Batch], encoded: Mapping[Modality, Encoded]
    ) -> dict[str, Tensor]:
        """(N, F) each, by the names of ``config.feature_widths``."""
        features: dict[str, Tensor] = {}
        if self.face is not None:
            features["face"] = face_features(self.face, *batch["face"])
        for name in self.bio_networks:
            features[name] = self.bio_networks[name](batch[name].values)  # type: ignore[index]
        return features | {f"{name} latent": parts.latent for name, parts in encoded.items()}

    def _targets(
        self, batch: Mapping[Modality, _Batch], encoded: Mapping[Modality, Encoded]
    ) -> Tensor:
        where = {name: part.where for name, part in batch.items()}
        return self.combined(self._features(batch, encoded), where)

    def _reconstructions(self, encoded: Mapping[Modality, Encoded]) -> dict[Modality, Tensor]:
        return {
            name: self.autoencoder(name).decode(parts.latent, parts.indices)
            for name, parts in encoded.items()
        }


def face_features(encoder: FaceEncoder, pictures: Tensor, where: Tensor) -> Tensor:
    """(N, F); the encoder sees only the faces that are there: they cost, and norms average them."""
    if bool(where.all()):
        features: Tensor = encoder(pictures)
        return features
    features = torch.zeros(len(where), encoder.width, device=where.device)
    if bool(where.any()):
        seen = encoder(pictures[where])
        features = features.to(seen.dtype)
        features[where] = seen
    return features


def _head(config: BMMNConfig) -> nn.Sequential:
    width, targets = sum(config.feature_widths.values()), len(config.targets)
    if not config.hidden:
        return nn.Sequential(nn.Linear(width, targets))
    return nn.Sequential(
        nn.Linear(width, config.hidden), nn.ReLU(), nn.Linear(config.hidden, targets)
    )


def _shortest_window() -> int:
    """The shortest even window that leaves every network at least one sample at its last pool."""
    return next(
        samples
        for samples in range(2, LONGEST_WINDOW, 2)
        if feature_count(samples) > 0 and lengths_before_pools(samples)[-1] >= 2
    )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        _refuse(name, value, f"one of {', '.join(choices)}")


def _check_subset(name: str, values: tuple[str, ...], choices: tuple[str, ...]) -> None:
    if not values or len(set(values)) < len(values) or not set(values) <= set(choices):
        _refuse(name, ", ".join(values), f"one or more of {', '.join(choices)}, each once")


def _check_range(name: str, value: int, limits: tuple[int, int]) -> None:
    if not limits[0] <= value <= limits[1]:
        _refuse(name, value, f"a number from {limits[0]} to {limits[1]}")


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise ModelError("E_CONFIG", f"{name} cannot be '{value}'.", f"Choose {allowed}.")
