"""Published durations of training runs: `config/durations.yaml` -> `monitor.core.projection.Durations`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.core.projection import LONGER, Durations, Scale
from monitor.reference.reading import digest_of, read_document

FILE = "durations.yaml"
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
QUANTILES = len(LONGER) - 1
Text = Annotated[str, Field(min_length=1)]
Days = Annotated[int, Field(gt=0, le=3_660)]


class _Scale(BaseModel):
    """Runs above some compute."""

    model_config = STRICT
    over_flop: Annotated[str, Field(pattern=r"^[1-9]e[1-9][0-9]?$")]  # in quotes: YAML would make a float of it
    runs: Annotated[int, Field(gt=0)]
    days: Annotated[list[Days], Field(min_length=QUANTILES, max_length=QUANTILES)]

    @model_validator(mode="after")
    def _rises(self) -> _Scale:
        if any(later <= earlier for earlier, later in pairwise(self.days)):
            raise ValueError("days must rise from quantile to quantile")
        return self

    def core(self) -> Scale:
        """The same for the core."""
        digit, power = self.over_flop.split("e")
        return Scale(int(digit) * 10 ** int(power), self.runs, tuple(self.days))


class _Document(BaseModel):
    """`durations.yaml`."""

    model_config = STRICT
    version: Text
    source: Text
    scales: Annotated[list[_Scale], Field(min_length=1)]

    @model_validator(mode="after")
    def _goes_up(self) -> _Document:
        amounts = [scale.core().over_flop for scale in self.scales]
        if any(later <= earlier for earlier, later in pairwise(amounts)):
            raise ValueError("scales must go from the smallest over_flop to the largest, each once")
        return self


def load_durations(root: Path) -> Durations:
    """The durations under a configuration folder. ReferenceProblem: with the first thing that is wrong with them."""
    document = read_document(root / FILE, _Document)
    return Durations(
        version=document.version,
        digest=digest_of(document.model_dump(mode="json")),
        source=document.source,
        scales=tuple(scale.core() for scale in document.scales),
    )
