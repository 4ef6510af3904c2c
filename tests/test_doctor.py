"""What `article-chat doctor` finds: all in order, or one thing after the other wrong, with what to do."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEmbedder

from rag.api.sockets import bind
from rag.cli import doctor, main
from rag.cli.doctor import Finding, examine
from rag.errors import ModelError
from rag.models import weights
from rag.models.catalogue import PACKAGED, STANDARD, check_writer, note_sha256
from rag.settings import Settings

Found = Callable[..., Finding]


@pytest.fixture
def port() -> Iterator[int]:
    with bind("127.0.0.1", 0) as free:
        number: int = free.getsockname()[1]
    return number


@pytest.fixture
def found(settings: Settings, port: int) -> Found:
    """The one finding that begins so, with settings of the test's own."""

    def found(begins: str, **changes: object) -> Finding:
        findings = examine(replace(settings, **changes), FakeEmbedder(), port)
        return next(finding for finding in findings if finding.said.startswith(begins))

    return found


def test_all_is_in_order_line_by_line(home: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--home", str(home), "--llm", "none", "--port", str(port)], embedder=FakeEmbedder())
    lines = capsys.readouterr().out.splitlines()
    assert code == 0, lines
    assert all(re.match(r"(ok|note) +\S", line) for line in lines)
    said = "\n".join(lines)
    for what in ("Python 3.", "packages: all", "sandbox:", "indexes:", "disk:", f"port {port} is free", "memory:"):
        assert what in said
    assert "checker.safetensors, reader.safetensors, writer-standard.gguf are as they were trained" in said
    assert "embedder: fake-bag-of-words, 256 numbers" in said


@pytest.mark.e2e
def test_the_packaged_writer_is_loaded_and_its_speed_is_told(
    home: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["doctor", "--home", str(home), "--llm", "packaged", "--port", str(port), "--threads", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "ok    writer: the packaged one, whole by its SHA-256" in said
    assert "ok    embedder: all-MiniLM-L6-v2, 384 numbers" in said
    loads, reads, writes = map(float, re.findall(r"loads in ([\d.]+) s, reads (\d+) and writes (\d+) tokens", said)[0])
    assert loads > 0
    assert reads > writes > 0


def test_what_is_wrong_makes_the_exit_code_1(home: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", port):
        code = main(["doctor", "--home", str(home), "--llm", "none", "--port", str(port)], embedder=FakeEmbedder())
    assert code == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong")]
    assert wrong == [f"wrong port {port} is taken by another program; choose another: article-chat serve --port N"]


def test_a_port_where_something_else_answers_is_taken(port: int) -> None:
    assert doctor._served_at(port) == ""
    with socket.create_server(("127.0.0.1", port)) as other:
        other.settimeout(30)
        other.listen()
        assert doctor._port(port).verdict == "wrong"


@pytest.mark.parametrize("change", ["flip", "cut"])
def test_a_damaged_writer_is_told_though_its_note_says_otherwise(
    found: Found, settings: Settings, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.models.mkdir()
    path = settings.models / STANDARD.file_name
    path.write_bytes(b"GGUF and much more")
    note_sha256(path, STANDARD.sha256)
    finding = found("writer:", llm="packaged")
    assert finding.verdict == "wrong"
    assert f"{path} is damaged" in finding.said
    assert finding.said.endswith("delete it and `article-chat download standard`")


def test_another_file_is_known_by_what_it_was_when_it_was_fetched(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"GGUF")
    assert check_writer(path) is None
    note_sha256(path, "a" * 64)
    with pytest.raises(ModelError, match=r"other\.gguf is damaged.*`article-chat download` it again$"):
        check_writer(path)
    with pytest.raises(ModelError, match="cannot be read"):
        check_writer(tmp_path / "none.gguf")


def test_a_writer_that_is_not_here_is_told_with_the_command_that_fetches_it(found: Found) -> None:
    finding = found("writer:", llm="standard")
    assert finding.verdict == "wrong"
    assert finding.said == "writer: the standard model is not here; run `article-chat download standard` once"
    assert found("writer:", llm="auto").verdict == "note"
    assert PACKAGED.name in found("writer:", llm="auto").said


def test_weights_with_a_flipped_bit_are_told(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in weights.FOLDER.glob("reader.*"):
        shutil.copy(path, tmp_path)
    reader = tmp_path / "reader.safetensors"
    data = bytearray(reader.read_bytes())
    data[-1] ^= 1
    reader.write_bytes(data)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    finding = found("weights:")
    assert finding.verdict == "wrong"
    assert finding.said.endswith("reader.safetensors is damaged, as its SHA-256 is another; where that stays so, "
                                 "install article-chat again")  # fmt: skip


def test_packages_that_are_missing_or_too_old_are_told(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy>=99", "no-such-package-here>=1", "gradio>=1", 'colorama>=99; sys_platform == "win32"']
    monkeypatch.setattr(doctor, "requires", lambda _: needed)
    finding = found("packages:")
    assert finding.verdict == "wrong"
    assert re.search(r"numpy is \d\S+, and >=99 is needed; no-such-package-here is missing, and >=1 is", finding.said)
    assert "gradio" not in finding.said


def test_visitors_articles_that_others_can_read_are_told(found: Found, settings: Settings) -> None:
    owners = settings.indexes / "_owners"
    owners.mkdir(parents=True, mode=0o700)
    assert found("visitors' articles:").verdict == "ok"
    owners.chmod(0o755)
    finding = found("visitors' articles:")
    assert finding.verdict == "wrong"
    assert finding.said.endswith(f"chmod 700 {owners}")


def test_little_memory_and_disk_are_told(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_memory", lambda: 5e8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 10**8))  # type: ignore[attr-defined]
    assert found("memory:").said.startswith("memory: 0.5 GB are free, and 1.0 are needed")
    assert found("disk:").verdict == "wrong"


def test_a_system_that_confines_no_reader_is_told_of_but_not_wrong(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "reachable", lambda: ("files", "network"))
    assert found("sandbox:").verdict == "note"
    monkeypatch.setattr(doctor, "reachable", lambda: ())
    assert found("sandbox:").verdict == "ok"
