"""The command: `python -m benchmarks`, which `make bench` runs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.interleave import QUESTIONS, Records, Source, run, sources
from benchmarks.plot import plot
from benchmarks.processes import ROOT, Process, models
from benchmarks.report import ALL, Report, score_all
from benchmarks.support import Support
from benchmarks.systems.catalogue import OURS, SYSTEMS
from rag.errors import ArticleChatError, UsageError
from rag.models.checker import NeuralChecker
from rag.models.embeddings import SentenceTransformerEmbedder

RESULTS = ROOT / "benchmarks" / "results"
RUN = "run.json"
"""The file that says of what settings, code and machine the records beside it are."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("--data", type=Path, default=QUESTIONS, help="question file, or a folder of them")
    made.add_argument("--every", type=int, default=1, help="ask each so many-th question of a file (default: all)")
    made.add_argument("--limit", type=int, help="of these, ask so many of each file, at most")
    made.add_argument("--systems", default=",".join(SYSTEMS), help=f"of {', '.join(SYSTEMS)} (default: all)")
    made.add_argument(
        "--threads", type=int, default=min(4, os.cpu_count() or 1), help="threads for each system's models"
    )
    made.add_argument("--llm", default="standard", help="the writer of all systems: standard, or a .gguf file")
    made.add_argument(
        "--out", type=Path, default=RESULTS / "latest", help="folder of the results; a run that it has goes on there"
    )
    made.add_argument("--report", action="store_true", help="ask nothing, only make the report of what was asked")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Ask, measure, and write records, report and plot; 2 where something is missing, in one line."""
    chosen = parser().parse_args(arguments)
    try:
        _bench(chosen)
    except ArticleChatError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _bench(chosen: argparse.Namespace) -> None:
    if chosen.every < 1:
        raise UsageError("--every must be at least 1")
    asked = sources(chosen.data, every=chosen.every, limit=chosen.limit)
    names = list(dict.fromkeys(name for name in chosen.systems.split(",") if name))
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown or not names:
        raise UsageError(f"--systems must name some of {', '.join(SYSTEMS)}, not {chosen.systems!r}")
    records = Records(chosen.out / "records.jsonl")
    if not chosen.report:
        _ask(chosen, names, asked, records)
    _write(asked, records, chosen.out)


def _ask(chosen: argparse.Namespace, names: list[str], asked: list[Source], records: Records) -> None:
    shared = models(chosen.llm, chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    _note_run(chosen.out / RUN, {"threads": chosen.threads, "writer": Path(shared.writer).name})
    with ExitStack() as running:
        systems = []
        for name in names:
            system = Process(name, shared, chosen.out / f"{name}.log")
            running.callback(system.stop)
            records.add(what="start", system=name, seconds=system.start_s, **system.started)
            systems.append(system)
            print(f"{name} has started in {system.start_s:.1f} s", file=sys.stderr)
        run(systems, asked, records, lambda done: print(done, file=sys.stderr))


def _write(asked: list[Source], records: Records, out: Path) -> None:
    if not records.all:
        raise UsageError(f"{out} holds no run yet; leave --report out to begin one")
    about = json.loads((out / RUN).read_text(encoding="utf-8"))
    threads = about["threads"]
    support = Support(NeuralChecker(), SentenceTransformerEmbedder(threads=threads))
    report = Report(about, score_all(asked, records, support), records)
    if not report.files:
        raise UsageError(f"{out} holds no reply to these questions; give the --data that were asked")
    (out / "report.json").write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(report.markdown(), encoding="utf-8")
    file = ALL if ALL in report.files else next(iter(report.files))
    questions = report.files[file][OURS if OURS in report.files[file] else report.systems[0]].questions
    plot(
        report.files[file],
        f"{questions} questions, the same writer and number of threads ({threads}) for all",
        out / "plot.png",
    )
    print(report.markdown())


def _note_run(file: Path, settings: dict[str, Any]) -> None:
    """Write down what the run is of; raises UsageError where it began with other settings, code or machine."""
    now = {**settings, "revision": _revision(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    if not file.exists():
        file.write_text(json.dumps(now) + "\n", encoding="utf-8")
    began = json.loads(file.read_text(encoding="utf-8"))
    if began != now:
        raise UsageError(f"{file.parent} holds a run of {began}, this would be one of {now}; give another --out")


def _revision() -> str:
    """The commit that is checked out, with a + where files of the program have changed since; unknown without git."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
