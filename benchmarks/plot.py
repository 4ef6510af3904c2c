"""Figures -> the plot: what a user waits for, and what the answers are worth."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measures import Figures

_WAITS = {
    "first_evidence_s_p50": ("first evidence", "#8ec6b0"),
    "first_word_s_p50": ("first word", "#4c956c"),
    "total_s_p50": ("answer", "#1d4e3a"),
}
_WORTH = {
    "right": ("right", "#1d4e3a"),
    "balanced": ("refusals, balanced", "#d68c45"),
    "supported": ("supported", "#7c6a9c"),
}


def plot(systems: dict[str, Figures], title: str, file: Path) -> None:
    """Write the plot of these systems to the file, whose suffix tells the format."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 1.6 + 0.5 * len(systems)), sharey=True, layout="constrained")
    for axis, bars, label in ((axes[0], _WAITS, "seconds, median (logarithmic)"), (axes[1], _WORTH, "share")):
        height = 0.8 / len(bars)
        for place, (name, (meaning, colour)) in enumerate(bars.items()):
            rows = [row + (place - 1) * height for row in range(len(systems))]
            values = [getattr(one, name) or 0.0 for one in systems.values()]
            axis.barh(rows, values, height, color=colour, label=meaning)
        axis.set_xlabel(label)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(bars), frameon=False)
    axes[0].set_xscale("log")
    axes[1].set_xlim(0, 1)
    axes[0].set_yticks(range(len(systems)), list(systems))
    axes[0].set_ylim(len(systems) - 0.5, -0.5)  # the first one on top
    figure.suptitle(title)
    figure.savefig(file, dpi=150)
    plt.close(figure)
