import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rag.errors import ModelError
from rag.models import probe
from rag.models.catalogue import STANDARD
from rag.models.probe import answered, has_probe


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A probe of a writer of two channels, with its checksum, in the place of those that come with the program."""
    path = tmp_path / "probes.safetensors"
    save_file({"small": np.array([1.0, -2.0, 0.5], np.float32)}, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    monkeypatch.setattr(probe, "WEIGHTS", path)
    return path


@pytest.mark.usefixtures("weights")
def test_a_state_is_weighed_by_the_probe_of_its_writer() -> None:
    assert answered("small", np.array([3.0, 1.0], np.float32)) == pytest.approx(1.5)
    assert answered("small", np.array([0.0, 1.0], np.float32)) == pytest.approx(-1.5)


@pytest.mark.usefixtures("weights")
def test_a_writer_without_a_probe_or_of_another_size_tells_nothing() -> None:
    assert answered("other", np.zeros(2, np.float32)) is None
    assert answered("small", np.zeros(3, np.float32)) is None


@pytest.mark.usefixtures("weights")
def test_the_state_is_worth_reading_only_of_a_writer_with_a_probe() -> None:
    assert has_probe("small")
    assert not has_probe("other")


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-2] + b"\0\0", lambda _: b""])
def test_damaged_weights_are_refused(weights: Path, damage: Callable[[bytes], bytes]) -> None:
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(ModelError, match="is damaged"):
        answered("small", np.zeros(2, np.float32))


def test_the_standard_writer_has_one() -> None:
    [(name, told)] = load_file(probe.WEIGHTS).items()
    assert name == Path(STANDARD.file_name).stem
    assert told.shape == (1537,)
    assert np.isfinite(told).all()
