"""Bio Auto-Encoders that were trained before, as a start of training: whose they are, and into a
network with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from affectscope.errors import ModelError
from affectscope.models.bio_autoencoder import BioAutoEncoder, BioAutoEncoderConfig
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.shipped import WEIGHTS, OpenedModel, open_shipped
from affectscope.models.strict_json import decode
from affectscope.models.weights_file import fill
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import JsonObject, Modality

SHIPPED_AUTOENCODERS: Mapping[Modality, str] = {"ecg": "bae-ecg", "eda": "bae-eda"}


@dataclass(frozen=True)
class AutoencoderContract:
    """A model's ``configuration``: what the auto-encoder is, and what windows it was taught.

    Attributes:
        scaling: how a recording's values came into [0, 1].
    """

    modality: Modality
    autoencoder: BioAutoEncoderConfig
    sampling_rate: float
    scaling: str
    minimum_valid: float

    @classmethod
    def of(
        cls, modality: Modality, autoencoder: BioAutoEncoderConfig, made: Preprocessing
    ) -> AutoencoderContract:
        """For windows that ``made`` makes."""
        scaling = made.ecg_scaling if modality == "ecg" else made.eda_scaling
        return cls(modality, autoencoder, made.sampling_rate, scaling, made.minimum_valid)


def autoencoder_of(opened: OpenedModel) -> BioAutoEncoder:
    """The network of a model's folder, in evaluation mode.

    Raises:
        ModelError: E_CHECKPOINT where the model is another or its tensors do not fit.
    """
    described = configuration_of(opened)
    network = BioAutoEncoder(described.autoencoder)
    fill(network, opened.tensors, WEIGHTS)
    return network.eval()


def configuration_of(opened: OpenedModel) -> AutoencoderContract:
    """What a model's folder says of its auto-encoder.

    Raises:
        ModelError: E_CHECKPOINT where it is another model, or its description is not whole.
    """
    contract = opened.of_kind("bio auto-encoder").contract
    described: JsonObject = dict(contract.configuration)
    return decode(AutoencoderContract, described, f"{contract.name}'s configuration")


@dataclass(frozen=True, eq=False)
class PretrainedAutoencoders:
    """One opened model per signal."""

    models: Mapping[Modality, OpenedModel]

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose signals they have seen, "stress_predict/S02"."""
        return frozenset(who for model in self.models.values() for who in model.contract.people)

    def people_of(self, corpus: str) -> frozenset[str]:
        """Those who are in a corpus, by its own ids: "S02" of "stress_predict"."""
        begin = f"{corpus}/"
        return frozenset(who.removeprefix(begin) for who in self.people if who.startswith(begin))

    @property
    def identity(self) -> str:
        """Tells which weights they are: "bae-ecg 0123456789ab, bae-eda ..."."""
        named = (f"{each.contract.name} {each.model_id}" for each in self.models.values())
        return ", ".join(named)

    @property
    def described(self) -> list[dict[str, Any]]:
        """What a checkpoint says of its start, plain JSON."""
        return [
            {
                "modality": modality,
                "name": model.contract.name,
                "model_id": model.model_id,
                "people": sorted(model.contract.people),
            }
            for modality, model in self.models.items()
        ]

    def check(self, config: BMMNConfig, preprocessing: Preprocessing) -> None:
        """Refuse a network that they cannot begin.

        Raises:
            ModelError: E_CONFIG where the network has no auto-encoder, or one of another shape, or
                sees other windows; E_CHECKPOINT where a model is damaged.
        """
        if not config.uses_autoencoder:
            raise ModelError(
                "E_CONFIG",
                f"A network '{config.variant}' of {', '.join(config.modalities)} has no bio "
                "auto-encoder to begin from a trained one.",
                "Choose the variant bmmn_bae_1 or bmmn_bae_2 with a signal.",
            )
        for modality in config.body:
            model = self.models[modality]
            given = configuration_of(model)
            wanted = AutoencoderContract.of(modality, config.autoencoder, preprocessing)
            for name, value in asdict(wanted).items():
                if asdict(given)[name] != value:
                    raise ModelError(
                        "E_CONFIG",
                        f"'{model.contract.name}' cannot begin this network's auto-encoder: its "
                        f"{name} is {asdict(given)[name]}, and the network's is {value}.",
                        "Begin without it, or train the network with the model's settings.",
                    )

    def begin(self, network: BMMN) -> None:
        """Put their weights into a network's auto-encoders.

        Raises:
            ModelError: E_CHECKPOINT where the tensors do not fit.
        """
        for modality in network.config.body:
            if network.config.uses_autoencoder:
                fill(network.autoencoder(modality), self.models[modality].tensors, WEIGHTS)


def shipped_autoencoders() -> PretrainedAutoencoders:
    """Those that come with the program.

    Raises:
        ModelError: E_CHECKPOINT where one is damaged.
    """
    return PretrainedAutoencoders(
        {modality: open_shipped(name) for modality, name in SHIPPED_AUTOENCODERS.items()}
    )
