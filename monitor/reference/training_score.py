"""Weights of the training score: `config/training_score.yaml` -> `monitor.core.likelihood.Weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.core.likelihood import FEATURES, Feature, Weights
from monitor.reference.reading import digest_of, read_document

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
Score = Annotated[int, Field(ge=-10_000, le=10_000)]
Text = Annotated[str, Field(min_length=1)]


class _Bands(BaseModel):
    """The least score of each band, in hundredths."""

    model_config = STRICT
    likely: Score
    possible: Score

    @model_validator(mode="after")
    def _is_ordered(self) -> _Bands:
        if not self.possible < self.likely:
            raise ValueError("possible must begin below likely")
        return self


class _Feature(BaseModel):
    """What a feature weighs, in hundredths, and what is said of it."""

    model_config = STRICT
    weight: Score
    sentence: Text


class _Document(BaseModel):
    """The whole file."""

    model_config = STRICT
    version: Text
    bands: _Bands
    features: dict[str, _Feature]

    @model_validator(mode="after")
    def _names_every_feature(self) -> _Document:
        if self.features.keys() != FEATURES.keys():
            wrong = sorted(self.features.keys() ^ FEATURES.keys())
            raise ValueError(f"each feature once and no other: {', '.join(wrong)}")
        return self


def load_weights(root: Path) -> Weights:
    """The weights under a configuration folder. ReferenceProblem: with the first thing that is wrong with them."""
    document = read_document(root / "training_score.yaml", _Document)
    features = {name: Feature(one.weight, one.sentence) for name, one in document.features.items()}
    return Weights(
        document.version,
        digest_of(document.model_dump(mode="json")),
        document.bands.likely,
        document.bands.possible,
        features,
    )
