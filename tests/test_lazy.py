import threading

import pytest

from rag.models.lazy import Lazy


class Model:
    """Counts how many were made, and the most threads that ran it at once."""

    made = 0

    def __init__(self) -> None:
        Model.made += 1
        self.running = self.most = 0

    def run(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        threading.Event().wait(0.001)
        self.running -= 1


def test_it_loads_on_first_use_and_once_and_one_thread_at_a_time_runs_it() -> None:
    Model.made = 0
    lazy = Lazy(Model)
    assert Model.made == 0
    ready = threading.Barrier(8)

    def use() -> None:
        ready.wait(30)
        with lazy.held() as model:
            model.run()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Model.made == 1
    assert lazy.value.most == 1


def test_what_could_not_be_loaded_is_tried_again() -> None:
    outcomes = iter([OSError("not yet"), None])

    def load() -> str:
        if error := next(outcomes):
            raise error
        return "loaded"

    lazy = Lazy(load)
    with pytest.raises(OSError, match="not yet"):
        _ = lazy.value
    with lazy.held() as model:
        assert model == "loaded"


def test_its_value_does_not_wait_for_who_runs_it() -> None:
    lazy = Lazy(lambda: "model")
    with lazy.held():
        asked: list[str] = []
        thread = threading.Thread(target=lambda: asked.append(lazy.value))
        thread.start()
        thread.join(30)
        assert asked == ["model"]


def test_models_that_share_a_lock_wait_for_each_other_and_others_do_not() -> None:
    lock = threading.Lock()
    one, other, apart = Lazy(lambda: 1, lock), Lazy(lambda: 2, lock), Lazy(lambda: 3)
    loaded = threading.Event()

    def use() -> None:
        with other.held():
            loaded.set()

    with one.held():
        thread = threading.Thread(target=use)
        thread.start()
        with apart.held() as model:
            assert model == 3
        assert not loaded.is_set()
    thread.join(30)
    assert loaded.is_set()
