"""The genetic algorithm's parameters and the two published sets of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from closedloop.optimizers.stepwise import PopulationParameters

PresetName = Literal["xdream", "in-vivo"]

# xdream: the published program's defaults (Xiao & Kreiman 2020). in-vivo: the values used on neurons
# (Ponce et al. 2019), where kT was twice the standard deviation, which is a selectivity of 0.5.
PRESETS: dict[str, dict[str, float | int]] = {
    "xdream": {
        "population": 20,
        "mutation_rate": 0.5,
        "mutation_size": 0.5,
        "selectivity": 2.0,
        "heritability": 0.5,
        "n_conserve": 0,
    },
    "in-vivo": {
        "population": 40,
        "mutation_rate": 0.25,
        "mutation_size": 0.75,
        "selectivity": 0.5,
        "heritability": 0.75,
        "n_conserve": 10,
    },
}


class GeneticParameters(PopulationParameters, frozen=True, extra="forbid"):
    """Parameters of the genetic algorithm. What is not given is the preset's."""

    name: Literal["genetic"] = Field(default="genetic", description="Which optimizer these are for.")
    preset: PresetName = Field(
        default="xdream",
        description="Published set of values for all that is not given here: xdream (20 codes, none "
        "conserved) or in-vivo (40 codes, 10 conserved).",
    )
    population: int = Field(
        default=20, ge=2, le=10_000, description="Codes in each generation. Preset: 20; in-vivo 40."
    )
    mutation_rate: float = Field(
        default=0.5,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Chance of each number of a new code to be mutated. Preset: 0.5; in-vivo 0.25.",
    )
    mutation_size: float = Field(
        default=0.5,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="Standard deviation of what a mutation adds. Preset: 0.5; in-vivo 0.75.",
    )
    selectivity: float = Field(
        default=2.0,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="How much a parent's chance grows with its score: kT is the scores' standard deviation "
        "divided by this. Preset: 2; in-vivo 0.5.",
    )
    heritability: float = Field(
        default=0.5,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Chance of each number of a new code to come from the first parent. As both are drawn "
        "alike, 0.3 and 0.7 do the same. Preset: 0.5; in-vivo 0.75.",
    )
    n_conserve: int = Field(
        default=0,
        ge=0,
        description="How many of the best codes are kept unchanged; fewer than the population. "
        "Preset: 0; in-vivo 10.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        # An unknown preset falls through, so that the field's own check names the choices.
        if isinstance(data, dict) and isinstance(data.get("preset", "xdream"), str):
            return {**PRESETS.get(data.get("preset", "xdream"), {}), **data}
        return data

    @model_validator(mode="after")
    def _conserve_fewer_than_all(self) -> GeneticParameters:
        if self.n_conserve >= self.population:
            raise ValueError(
                f"n_conserve is {self.n_conserve} and the population {self.population}: "
                "with every code conserved nothing is bred; conserve fewer"
            )
        return self
