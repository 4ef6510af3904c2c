"""llama.cpp's weights lie on huge pages, where the system has them."""

import re
from pathlib import Path

import pytest

from rag.models import huge_pages
from rag.models.catalogue import find_writer
from rag.models.huge_pages import HugePagesLlama
from rag.settings import load_settings

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def on_huge_pages() -> int:
    """Kilobytes of this process's memory."""
    told = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(r"AnonHugePages:\s+(\d+)", told)[1])


@pytest.mark.e2e
@pytest.mark.skipif(not THP.exists() or "[never]" in THP.read_text(), reason="the system has no huge pages")
def test_the_weights_lie_on_huge_pages() -> None:
    path = find_writer(load_settings(flags={"llm": "packaged"}))
    before = on_huge_pages()
    llama = HugePagesLlama(str(path), n_ctx=64, use_mmap=False, verbose=False)
    assert on_huge_pages() - before > path.stat().st_size / 1024 / 2
    llama.close()


@pytest.mark.e2e
def test_a_system_that_tells_nothing_of_its_memory_loads_them_as_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huge_pages, "_MAPS", tmp_path / "none")
    path = find_writer(load_settings(flags={"llm": "packaged"}))
    llama = HugePagesLlama(str(path), n_ctx=64, use_mmap=False, verbose=False)
    assert llama.n_vocab() > 1000
    llama.close()
