"""Records -> a table for people, an object for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.bootstrap import Interval, difference_of_means, ratio_of_means, ratio_of_medians
from benchmarks.interleave import Records, Source
from benchmarks.measures import Figures, Scored, figures, scored
from benchmarks.support import Support
from benchmarks.systems.catalogue import OURS

_QUALITY = {
    "contains": "contains",
    "right": "right",
    "hit": "hit",
    "words": "words",
    "evidence_words": "words of evidence",
    "refused_rightly": "refused rightly",
    "refused_wrongly": "refused wrongly",
    "balanced": "balanced",
    "supported": "supported",
    "invented": "invented",
    "valid": "valid citations",
}
_COST = {
    "first_evidence_s": "first evidence, s",
    "first_word_s": "first word, s",
    "total_s": "answer, s",
    "prompt_tokens": "prompt tokens",
    "peak_mb": "peak memory, MB",
    "start_s": "cold start, s",
    "prepare_s": "an article, s",
}
_WHOLE = frozenset({"words", "evidence_words", "prompt_tokens", "peak_mb"})
ALL = "all"
"""The name under which the figures over all files together stand."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """A peer beside ours on the same questions: times and tokens as theirs divided by ours, `right` and `decided` (to
    answer or refuse as one should) as ours minus theirs. `answer` compares medians of the final answers, `evidence`
    their first word with our first evidence.
    """

    answer: Interval
    evidence: Interval
    prompt_tokens: Interval
    right: Interval | None
    decided: Interval


def supported(replies: Iterable[Scored], support: Support, progress: Callable[[], None] = lambda: None) -> list[Scored]:
    """The replies with the support that each sentence of an answer has."""
    found = []
    for one in replies:
        chances = () if one.refused else support.of(one.question.text, one.reply["text"], one.reply["evidence"])
        found.append(replace(one, supported=chances))
        progress()
    return found


class Report:
    """The figures of every system, for each file and for all files together, and how the peers compare with ours."""

    def __init__(self, run: dict[str, Any], replies: Sequence[Scored], records: Records) -> None:
        self.run, self.replies = run, replies
        self.systems = list(dict.fromkeys(one.system for one in replies))
        files = list(dict.fromkeys(one.file for one in replies))
        self.files = {file: self._figures(file, records) for file in ([*files, ALL] if len(files) > 1 else files)}
        self.ratios = {file: self._ratios(file) for file in self.files}

    def _of(self, system: str, file: str) -> list[Scored]:
        return [one for one in self.replies if one.system == system and file in {one.file, ALL}]

    def _figures(self, file: str, records: Records) -> dict[str, Figures]:
        found = {}
        for system in self.systems:
            own = [record for record in records.all if record["system"] == system]
            starts = [record["seconds"] for record in own if record["what"] == "start"]
            prepared = [r["seconds"] for r in own if r["what"] == "prepare" and file in {r["file"], ALL}]
            replies = self._of(system, file)
            if replies:
                found[system] = figures(replies, starts, prepared)
        return found

    def _ratios(self, file: str) -> dict[str, Ratios]:
        ours = self._of(OURS, file)
        found = {}
        for system in self.systems:
            pairs = paired(ours, self._of(system, file))
            if system != OURS and pairs:
                found[system] = compared(pairs)
        return found

    def to_json(self) -> dict[str, Any]:
        """The report as a plain object."""
        return {
            "run": self.run,
            "figures": {f: {s: one.to_json() for s, one in systems.items()} for f, systems in self.files.items()},
            "beside_article_chat": {
                f: {s: _rounded(asdict(one)) for s, one in systems.items()} for f, systems in self.ratios.items()
            },
        }

    def markdown(self) -> str:
        """The report as tables."""
        parts = [f"# {', '.join(self.systems)}\n\n{_about(self.run)}"]
        for file, systems in self.files.items():
            questions = max(one.questions for one in systems.values())
            parts.append(f"## {file}, {questions} questions")
            parts.append(_table(systems, _QUALITY))
            parts.append(_table(systems, _COST))
            if self.ratios[file]:
                parts.append(_beside(self.ratios[file]))
        return "\n\n".join(parts) + "\n"


def paired(ours: Iterable[Scored], theirs: Iterable[Scored]) -> list[tuple[Scored, Scored]]:
    """The replies of two systems to the questions that both answered."""

    def key(one: Scored) -> tuple[str, str, str]:
        return one.file, one.reply["document"], one.question.id

    own = {key(one): one for one in ours}
    return [(own[key(one)], one) for one in theirs if key(one) in own]


def compared(pairs: Sequence[tuple[Scored, Scored]]) -> Ratios:
    """Our replies beside another system's to the same questions."""
    answerable = [(a, b) for a, b in pairs if a.question.answerable]
    return Ratios(
        answer=ratio_of_medians([a.reply["total_s"] for a, _ in pairs], [b.reply["total_s"] for _, b in pairs]),
        evidence=ratio_of_medians([first_evidence(a) for a, _ in pairs], [b.reply["first_word_s"] for _, b in pairs]),
        prompt_tokens=ratio_of_means(
            [a.reply["read_tokens"] for a, _ in pairs], [b.reply["read_tokens"] for _, b in pairs]
        ),
        right=difference_of_means([bool(a.right) for a, _ in answerable], [bool(b.right) for _, b in answerable])
        if answerable
        else None,
        decided=difference_of_means([_decided(a) for a, _ in pairs], [_decided(b) for _, b in pairs]),
    )


def first_evidence(one: Scored) -> float:
    """Seconds until something could be shown: evidence, or that there is none."""
    seconds: float | None = one.reply["first_evidence_s"]
    return float(one.reply["total_s"]) if seconds is None else seconds


def _decided(one: Scored) -> bool:
    return one.refused != one.question.answerable


def _table(systems: dict[str, Figures], columns: dict[str, str]) -> str:
    rows = [["", *columns.values()]]
    rows += [[system, *(_cell(one, name) for name in columns)] for system, one in systems.items()]
    return _lines(rows)


def _beside(ratios: dict[str, Ratios]) -> str:
    columns = {
        "answer": "answer takes × ours",
        "evidence": "first word × our first evidence",
        "prompt_tokens": "prompt tokens × ours",
        "right": "right, ours − theirs",
        "decided": "decided rightly, ours − theirs",
    }
    rows = [["", *columns.values()]]
    rows += [[s, *(str(getattr(one, name) or "-") for name in columns)] for s, one in ratios.items()]
    return _lines(rows)


def _cell(one: Figures, name: str) -> str:
    if name in {"first_evidence_s", "first_word_s", "total_s"}:
        p50, p95 = getattr(one, f"{name}_p50"), getattr(one, f"{name}_p95")
        return "-" if p50 is None else f"{p50:.2f} / {p95:.2f}"
    value = getattr(one, name)
    return "-" if value is None else f"{value:.0f}" if name in _WHOLE else f"{value:.2f}"


def _lines(rows: Sequence[Sequence[str]]) -> str:
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *others])


def _about(run: dict[str, Any]) -> str:
    return (
        f"{run['threads']} threads, writer {run['writer']}, revision {run['revision']}, on {run['machine']}. "
        "Times are p50 / p95; shares are in [0, 1]; intervals hold 95 of 100 resamples of the questions. What each "
        "means is told in benchmarks/README.md."
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def score_all(asked: Sequence[Source], records: Records, support: Support) -> list[Scored]:
    """Every reply to a question that is asked, scored, its support included."""
    from tqdm import tqdm

    replies = scored(asked, records.replies())
    with tqdm(total=len(replies), desc="Checking", unit=" replies", disable=None, leave=False) as bar:
        return supported(replies, support, bar.update)
