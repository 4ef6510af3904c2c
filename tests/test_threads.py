"""How many threads compute: whichever number is quicker now."""

import threading
import time

import pytest
import torch

from rag.models.threads import TORCH, Threads, TorchThreads


def test_the_quicker_number_of_threads_is_taken_and_the_other_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    threads = Threads(2)
    seconds = {1: 0.03, 2: 0.5}  # a core is busy

    def take() -> int:
        chosen = threads.best()
        threads.took(chosen, seconds[chosen])
        return chosen

    assert {take(), take()} == {1, 2}
    assert [take() for _ in range(5)] == [1] * 5
    seconds[2] = 0.02  # it is free again
    now += 21
    assert 2 in {take(), take()}
    assert [take() for _ in range(5)] == [2] * 5


def test_a_probe_tells_how_many_threads_a_pass_takes_and_is_believed_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, probed = 1000.0, list[int]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    seconds = {1: 0.003, 2: 0.05}  # a core is busy

    def probe(count: int) -> float:
        probed.append(count)
        return seconds[count]

    def chosen() -> int:
        with threads.chosen() as count:
            assert torch.get_num_threads() == count
            return count

    threads, before = TorchThreads(1, probe), torch.get_num_threads()
    assert chosen() == 1
    assert probed == []  # no more than one was allowed
    threads.allow(2)
    assert [chosen() for _ in range(3)] == [1, 1, 1]
    assert probed == [1, 2]
    seconds[2] = 0.002  # it is free again
    assert chosen() == 1
    now += 3
    assert chosen() == 2
    assert torch.get_num_threads() == before


def test_one_pass_probes_and_others_go_on_meanwhile() -> None:
    probing, known = threading.Event(), threading.Event()

    def probe(count: int) -> float:
        probing.set()
        assert known.wait(30)
        return 1 / count

    threads = TorchThreads(2, probe)
    taken = list[int]()

    def one_pass() -> None:
        with threads.chosen() as count:
            taken.append(count)

    first = threading.Thread(target=one_pass)
    first.start()
    assert probing.wait(30)
    one_pass()
    assert taken == [1]  # what was best so far
    known.set()
    first.join(30)
    assert taken == [1, 2]


def test_products_of_matrices_are_timed() -> None:
    threads, before = TorchThreads(2, TORCH._probe), torch.get_num_threads()
    with threads.chosen() as count:
        assert count in {1, 2}
    assert threads._until > time.monotonic()
    assert torch.get_num_threads() == before
