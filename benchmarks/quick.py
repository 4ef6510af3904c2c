"""The command `python -m benchmarks.quick`, which `make bench-quick` runs: is what stands here worse than an earlier
revision?

Both answer the same questions on this machine, in turn, each in a process of its own, with the same models.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from benchmarks.bootstrap import ratio_of_medians
from benchmarks.interleave import QUESTIONS, Records, Source, run, sources
from benchmarks.measures import scored
from benchmarks.processes import ROOT, Process, models
from benchmarks.report import Ratios, compared, first_evidence, paired
from benchmarks.systems.catalogue import OURS
from rag.errors import ArticleChatError, UsageError

SLOWER = 1.1
"""Times as long is slower than noise alone makes it, where all of the interval is beyond it."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.quick", description=__doc__)
    made.add_argument(
        "--against", help="commit to compare with (default: the last one, or that before it if nothing changed since)"
    )
    made.add_argument("--data", type=Path, default=QUESTIONS, help="question file, or a folder of them")
    made.add_argument("--every", type=int, default=2, help="ask each so many-th question (default: %(default)s)")
    made.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1), help="threads for the models")
    made.add_argument("--llm", default="packaged", help="the writer: packaged, standard or a .gguf file")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Ask both, and tell; 1 where something is clearly worse, 2 where something is missing, in one line."""
    told = parser().parse_args(arguments)
    try:
        if told.every < 1:
            raise UsageError("--every must be at least 1")
        found = _compare(told, told.against or _before())
    except ArticleChatError as error:
        print(f"benchmarks.quick: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    lost = losses(found)
    print("\n".join(lost) or "nothing is clearly worse")
    return 1 if lost else 0


def losses(found: Ratios) -> list[str]:
    """What is clearly worse here than there, a line each: it is so in at least 97 of 100 resamples of the questions."""
    worse = [
        f"worse: {what}, here - there {difference}"
        for what, difference in (("right", found.right), ("decided rightly", found.decided))
        if difference is not None and difference.high < 0
    ]
    slower = [
        f"slower: {what}, there / here {ratio}"
        for what, ratio in (("first evidence", found.evidence), ("answer", found.answer))
        if ratio.high < 1 / SLOWER
    ]
    return worse + slower


def _compare(told: argparse.Namespace, revision: str) -> Ratios:
    shared = models(told.llm, told.threads)
    asked = sources(told.data, every=told.every)
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="article-chat-quick-")))
        check_out(revision, folder / "there")
        systems: list[Process] = []
        for name, root in ((OURS, ROOT), (revision, folder / "there")):
            log = folder / f"{len(systems)}.log"
            systems.append(Process(name, shared, log, [sys.executable, "-m", "benchmarks.worker", OURS], root=root))
            open_.callback(systems[-1].stop)
        records = Records(folder / "records.jsonl")
        run(systems, asked, records, lambda done: print(done, file=sys.stderr))
        found = beside(asked, records, revision)
    print(
        f"beside {revision}, over {sum(len(item.questions) for source in asked for item in source.items)} questions:",
        f"  right, here - there: {found.right}",
        f"  decided rightly, here - there: {found.decided}",
        f"  first evidence, time there / here: {found.evidence}",
        f"  answer, time there / here: {found.answer}",
        f"  prompt tokens, there / here: {found.prompt_tokens}",
        sep="\n",
    )
    return found


def beside(asked: Sequence[Source], records: Records, revision: str) -> Ratios:
    """How what stands here compares with the revision, over the questions that both answered; unlike beside a peer, the
    first evidence is that of both.
    """
    here, there = ([one for one in scored(asked, records.replies()) if one.system == name] for name in (OURS, revision))
    pairs = paired(here, there)
    evidence = ratio_of_medians([first_evidence(a) for a, _ in pairs], [first_evidence(b) for _, b in pairs])
    return replace(compared(pairs), evidence=evidence)


def check_out(revision: str, folder: Path) -> None:
    """Write the files of a commit into a new folder; raises UsageError where there is no such commit."""
    packed = _git("archive", "--format=tar", revision)
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")


def _before() -> str:
    """The last commit, or the one before it where no file differs from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "--short=12", "HEAD" if changed else "HEAD~1").decode().strip()


def _git(*arguments: str) -> bytes:
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S603, S607
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise UsageError(f"git {arguments[0]} failed: {' '.join(said)}; --against takes a commit of this repository")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
