"""The command `python -m benchmarks.load`: the page's server under many visitors at once, some of whom stop or leave.

Each visitor has a cookie and a session of their own, asks as the page does, by its routes, and marks each question as
theirs, so that an answer to another's would be seen. Meanwhile the server is asked every second how it is.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.interleave import QUESTIONS
from benchmarks.processes import ROOT, environment
from rag.api import bind
from rag.errors import ArticleChatError
from rag.evaluation.questions import lines_of
from rag.json_fields import parsed

PATIENCE = 600.0
"""Seconds that anything may take before it counts as an error."""
_CONFIG = re.compile(r"window\.gradio_config = (\{.*?\});</script>")
_ASKED = re.compile(r'<span class="unseen">You asked&#58; </span>(.*?)</p>')
_ANSWERS, _STATUS = 3, 4
"""Where the conversation and the status stand among what an event shows."""
_RUNS = ("Searching", "Reading", "Writing", "Looking", "Checking")
_BUSY = ("of your questions are waiting", "too many questions are waiting")
_ENDED = re.compile(r'^article_chat_questions_total\{outcome="(?!busy)\w+"\} (\S+)$', re.MULTILINE)
_MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """What the visitors and the watchers saw, in seconds and megabytes; many threads add to it."""

    asked: int = 0
    answered: int = 0
    busy: int = 0
    stopped: int = 0
    left: int = 0
    mixed: int = 0
    waited: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    freed: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Load:
    """The figures: `waited` seconds from asking to the whole answer; `health_longest_s` is the longest that /alive or
    /health took; `freed_longest_s` from Stop, or from leaving, until the question had ended and the model was free;
    memory at each minute, with the megabytes that it grows by in one; `ended_s` from SIGTERM to the end, which is good
    where `ended_with` is -15, that signal itself.
    """

    visitors: int
    minutes: float
    asked: int
    answered: int
    busy: int
    stopped: int
    left: int
    mixed: int
    waited_p50_s: float | None
    waited_p95_s: float | None
    health_longest_s: float | None
    freed_p50_s: float | None
    freed_longest_s: float | None
    memory_mb: list[float]
    memory_mb_a_minute: float | None
    errors: dict[str, int]
    ended_s: float
    ended_with: int


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    made.add_argument("--visitors", type=int, default=50, help="how many ask at once (default: %(default)s)")
    made.add_argument("--minutes", type=float, default=10.0, help="for how long (default: %(default)s)")
    made.add_argument("--impatient", type=float, default=0.2, help="share that stops or leaves (default: %(default)s)")
    made.add_argument("--llm", default="packaged", help="the writer, as for serve (default: %(default)s)")
    made.add_argument("--data", type=Path, default=QUESTIONS / "invented.jsonl", help="file of articles and questions")
    made.add_argument("--out", type=Path, help="file for the figures, as JSON")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print the figures; 1 where an answer was another's, 2 where the server does not start."""
    told = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="article-chat-load-") as home:
            questions = prepare(told.data, Path(home))
            port = free_port()
            command = [sys.executable, "-m", "rag", "serve", "--home", home, "--port", str(port), "--llm", told.llm]
            found = measure(command, questions, visitors=told.visitors, minutes=told.minutes, impatient=told.impatient)
    except ArticleChatError as error:
        print(f"benchmarks.load: {error}", file=sys.stderr)
        return 2
    text = json.dumps(asdict(found), indent=1)
    if told.out:
        told.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if found.mixed else 0


def prepare(data: Path, home: Path) -> list[str]:
    """The questions of the file that stand alone; its articles lie in the home folder's `seeds/` afterwards."""
    (home / "seeds").mkdir()
    questions = []
    for _, line in lines_of(data):
        article = parsed(line)
        (home / "seeds" / f"{article['id']}.txt").write_text(article["text"], encoding="utf-8")
        questions += [one["question"] for one in article["questions"] if not one.get("history")]
    return questions


def free_port() -> int:
    """A port that nobody has."""
    with bind("127.0.0.1", 0) as free:
        port: int = free.getsockname()[1]
    return port


def measure(
    command: Sequence[str], questions: Sequence[str], *, visitors: int, minutes: float, impatient: float
) -> Load:
    """The figures of the server that the command starts; raises ArticleChatError where it does not."""
    seen, over = Seen(), threading.Event()
    with started(command) as (server, url):
        watchers = [threading.Thread(target=watch, args=(url, seen, over))]
        for number in range(visitors):
            visitor = Visitor(url, number, questions, impatient=impatient, seen=seen, over=over)
            watchers.append(threading.Thread(target=visitor.run))
        began = time.monotonic()
        for watcher in watchers:
            watcher.start()
        while (now := time.monotonic() - began) < minutes * 60 and server.poll() is None:
            remember_memory(url, seen, now / 60)
            over.wait(min(60.0, minutes * 60 - now))
        remember_memory(url, seen, minutes)
        over.set()
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        ended_with = server.wait(PATIENCE)
        ended = time.monotonic() - began
        for watcher in watchers:
            watcher.join()
    memory = np.array(seen.memory)
    return Load(
        visitors=visitors,
        minutes=minutes,
        asked=seen.asked,
        answered=seen.answered,
        busy=seen.busy,
        stopped=seen.stopped,
        left=seen.left,
        mixed=seen.mixed,
        waited_p50_s=_percentile(seen.waited, 50),
        waited_p95_s=_percentile(seen.waited, 95),
        health_longest_s=_percentile(seen.health, 100),
        freed_p50_s=_percentile(seen.freed, 50),
        freed_longest_s=_percentile(seen.freed, 100),
        memory_mb=[round(megabytes, 1) for _, megabytes in seen.memory],
        memory_mb_a_minute=float(np.polyfit(memory[:, 0], memory[:, 1], 1)[0]) if len(memory) > 1 else None,
        errors=dict(seen.errors),
        ended_s=ended,
        ended_with=ended_with,
    )


@contextmanager
def started(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server, once it has printed its address, and that; it is gone afterwards."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(  # noqa: S603  # our own command
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
        with server:
            try:
                assert server.stdout is not None  # noqa: S101
                if not (url := server.stdout.readline().strip()):
                    server.wait()
                    log.seek(0)
                    raise ArticleChatError(f"the server did not start: {log.read().strip()[-1000:]}")
                yield server, url
            finally:
                server.kill()


def watch(url: str, seen: Seen, over: threading.Event) -> None:
    """Ask the server every second whether it is there and well."""
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        while not over.is_set():
            for path in ("/alive", "/health"):
                with _counted(seen, over, path):
                    began = time.monotonic()
                    client.get(path).raise_for_status()
                    seen.health.append(time.monotonic() - began)
            over.wait(1.0)


def remember_memory(url: str, seen: Seen, minute: float) -> None:
    """Note what the server holds; nothing where the system does not tell."""
    if found := _MEMORY.search(_figures(url)):
        seen.memory.append((minute, float(found[1]) / 1e6))


class Visitor:
    """Somebody who asks one question after the other on the page, until it is over."""

    def __init__(
        self, url: str, number: int, questions: Sequence[str], *, impatient: float, seen: Seen, over: threading.Event
    ) -> None:
        self._url, self._number, self._seen, self._over = url, number, seen, over
        self._questions, self._impatient = questions, impatient
        self._random = random.Random(number)  # noqa: S311
        self.own: set[str] = set()

    def run(self) -> None:
        """Open the page, and ask; who left opens it anew, in another session."""
        with httpx.Client(base_url=self._url, timeout=PATIENCE, trust_env=False) as client:
            while not self._over.is_set():
                with _counted(self._seen, self._over), ExitStack() as tab:
                    page = client.get("/", headers={"Accept": "text/html"}).raise_for_status().text
                    events, session = events_of(page), secrets.token_hex(8)
                    tab.enter_context(client.stream("GET", f"/gradio_api/heartbeat/{session}"))
                    while not self._over.is_set() and self._ask(client, tab, session, events):
                        self._over.wait(self._random.uniform(0, 2))
                self._over.wait(0.5)

    def _ask(self, client: httpx.Client, tab: ExitStack, session: str, events: Callable[[str, str], int]) -> bool:
        """Ask once, and look at what comes; whether the tab is open still."""
        question = f"{self._random.choice(self._questions)} (visitor {self._number})"
        self.own.add(question)
        impatient = self._random.random() < self._impatient
        leaves = impatient and self._random.random() < 0.5
        began, stopped = time.monotonic(), 0.0
        body = {"session_hash": session, "fn_index": events("Your question", "submit"), "data": [question, None, None]}
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with self._seen.lock:
            self._seen.asked += 1
        data, status = {"session_hash": session}, ""
        with client.stream("GET", "/gradio_api/queue/data", params=data) as stream:
            for line in stream.iter_lines():
                told = json.loads(line.removeprefix("data: ")) if line else {}
                shown = (told.get("output") or {}).get("data")
                if not shown:
                    continue
                self.look(shown[_ANSWERS])
                status = re.sub("</?p>", "", _text(shown[_STATUS])) or status
                if impatient and status.startswith(_RUNS):
                    impatient = False
                    if leaves:
                        break
                    stop = {"session_hash": session, "fn_index": events("Stop", "click"), "data": []}
                    stopped = time.monotonic()
                    client.post("/gradio_api/run/predict", json=stop).raise_for_status()
        left, now = leaves and not impatient, time.monotonic()
        with self._seen.lock:
            if stopped:
                self._seen.freed.append(now - stopped)
            self._count(status, now - began, left=left)
        if left:
            self._leave(tab)
        return not left

    def look(self, shown: object) -> None:
        """Count what the conversation holds that is not this visitor's."""
        foreign = {html.unescape(asked) for asked in _ASKED.findall(_text(shown))} - self.own
        with self._seen.lock:
            self._seen.mixed += len(foreign)

    def _leave(self, tab: ExitStack) -> None:
        """Close the tab whose question is being answered, and wait until it has ended: one is answered at a time."""
        before, began = _ended(self._url), time.monotonic()
        tab.close()
        while _ended(self._url) == before and not self._over.is_set():
            time.sleep(0.05)
        with self._seen.lock:
            self._seen.freed.append(time.monotonic() - began)

    def _count(self, status: str, seconds: float, *, left: bool) -> None:
        seen = self._seen
        if left:
            seen.left += 1
        elif any(busy in status for busy in _BUSY):
            seen.busy += 1
        elif status.startswith("Stopped"):
            seen.stopped += 1
        elif status.startswith(("Answered", "The article", "None of")):
            seen.answered += 1
            seen.waited.append(seconds)
        elif not self._over.is_set():
            seen.errors[status or "the stream ended"] += 1


def events_of(page: str) -> Callable[[str, str], int]:
    """What gives the number of the page's event of a kind on the button or box of that name."""
    found = _CONFIG.search(page)
    if found is None:
        raise ArticleChatError("what came is not the page")
    config = parsed(found[1])

    def event(name: str, kind: str) -> int:
        ids = [c["id"] for c in config["components"] if name in (c["props"].get("value"), c["props"].get("label"))]
        return next(int(d["id"]) for d in config["dependencies"] if [ids[0], kind] in [list(t) for t in d["targets"]])

    return event


@contextmanager
def _counted(seen: Seen, over: threading.Event, where: str = "") -> Iterator[None]:
    """Counts what fails in the block by its kind, unless it is over."""
    try:
        yield
    except (httpx.HTTPError, ArticleChatError, ValueError) as error:
        if not over.is_set():
            with seen.lock:
                seen.errors[f"{where} {_kind(error)}".strip()] += 1


def _kind(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url.path} {error.response.status_code}"
    return type(error).__name__


def _text(shown: object) -> str:
    """The text that an event shows, or replaces; "" where it changes nothing."""
    while isinstance(shown, list) and shown:
        shown = shown[-1]
    return shown if isinstance(shown, str) else ""


def _figures(url: str) -> str:
    try:
        return httpx.get(f"{url}/metrics", timeout=PATIENCE, trust_env=False).text
    except httpx.HTTPError:
        return ""


def _ended(url: str) -> float:
    return sum(map(float, _ENDED.findall(_figures(url))))


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


if __name__ == "__main__":
    sys.exit(main())
