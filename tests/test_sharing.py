"""Processes that change one collection at once while others read it: what is read is what somebody wrote, and whole."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import hypothesis
from changing import COLLECTION, texts_in

import rag

PROGRAM = Path(__file__).parent / "sharing.py"
WRITERS, READERS = "ab", "xy"


class Sharing:
    """A process that writes or reads, and the file of what it prints."""

    def __init__(self, home: Path, name: str, *what: str) -> None:
        path = os.pathsep.join([str(Path(rag.__file__).parent.parent), str(PROGRAM.parent)])
        command = [sys.executable, str(PROGRAM), str(home), *what]
        self.said, self.errors = home / f"{name}.jsonl", home / f"{name}.log"
        with self.said.open("w") as said, self.errors.open("w") as errors:
            environment = {**os.environ, "PYTHONPATH": path}
            self.process = subprocess.Popen(command, stdout=said, stderr=errors, env=environment)

    def has_begun(self) -> None:
        """Wait until it has told what there is when it begins."""
        while not self.said.stat().st_size:
            assert self.process.poll() is None, self.errors.read_text(encoding="utf-8")

    def states(self) -> list[dict[str, str]]:
        """The texts that it told, once it has ended well."""
        assert self.process.wait(600) == 0, self.errors.read_text(encoding="utf-8")
        return [json.loads(line) for line in self.said.read_text(encoding="utf-8").splitlines()]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def test_readers_see_only_what_two_writers_wrote_in_its_order_and_no_text_is_left_behind(home: Path) -> None:
    changes = str(hypothesis.settings().max_examples // 5)  # 12 in the gate, 600 in a soak
    with ExitStack() as stack:
        readers = [Sharing(home, name, "read") for name in READERS]
        for reader in readers:
            stack.callback(reader.end)
            reader.has_begun()
        writers = {name: Sharing(home, name, "write", name, changes) for name in WRITERS}
        for writer in writers.values():
            stack.callback(writer.end)
        wrote = {name: [{}, *writer.states()] for name, writer in writers.items()}
        (home / "done").touch()
        seen = [reader.states() for reader in readers]
    for states in seen:
        for name, versions in wrote.items():
            at = 0
            for state in states:
                own = {title: text for title, text in state.items() if title.startswith(name)}
                at = versions.index(own, at)  # never one before what was seen before
        assert len({json.dumps(state) for state in states}) > 1
    last = {title: text for versions in wrote.values() for title, text in versions[-1].items()}
    assert all(states[-1] == last for states in seen)
    assert texts_in(home)["collection"] == last
    left = [file.read_text(encoding="utf-8") for file in (home / "indexes" / COLLECTION).rglob("*.txt")]
    assert sorted(left) == sorted(last.values())
