"""A writer's state at the end of a question -> whether the article that it has read answers: a linear probe.

A writer asked for what it has not read says something all the same, and how likely it finds a refusal tells little; its
last layer tells far more (Kadavath et al. 2022, "P(IK)"; Slobodkin et al. 2023). Each writer has a probe of its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rag.models.weights import FOLDER, fingerprint
from rag.types import FloatArray

WEIGHTS = FOLDER / "probes.safetensors"


def has_probe(writer: str) -> bool:
    """Whether the state of the writer of that name tells anything, and is worth reading."""
    return writer in _probes(WEIGHTS)


def answered(writer: str, state: FloatArray) -> float | None:
    """The log-odds that the article answers, by the (d,) state of the writer of that name; None where it has no probe,
    or one for states of another size.

    Raises ModelError where the weights are damaged.
    """
    probe = _probes(WEIGHTS).get(writer)
    if probe is None or len(probe) != len(state) + 1:
        return None
    return float(probe[:-1] @ state + probe[-1])


@cache
def _probes(path: Path) -> dict[str, FloatArray]:
    """The weights, and last the offset, (d + 1,), by the name of the writer."""
    from safetensors.numpy import load_file

    fingerprint(path)  # are they whole?
    return load_file(path)
