"""The keys by which programs are known."""

import re

import pytest

from rag import UsageError
from ui.keys import SHORTEST_KEY, Keys

ANN, BOB = "a" * SHORTEST_KEY, "b:" * SHORTEST_KEY


def test_a_key_is_somebodys(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text(f"ann:{ANN}\n\nbob:{BOB}\n", encoding="utf-8")
    keys = Keys.read(file)
    assert (keys.name_of(ANN), keys.name_of(BOB)) == ("ann", "bob")
    for wrong in ("", "ann", f"ann:{ANN}", ANN[:-1], f"{ANN}a", BOB.upper(), "\ud800", "é" * 30):
        assert keys.name_of(wrong) is None
    assert Keys.read(None) is None


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "keys.txt: there is no API key in it; write NAME:KEY on a line"),
        (ANN, "keys.txt, line 1: an API key is given as NAME:KEY"),
        (f"ann:{ANN}\nann:{BOB}", "keys.txt, line 2: the name 'ann' is given twice"),
        (f"ann:{ANN[:-1]}", "keys.txt: the key of 'ann' must have 20 or more"),
        (f"ann:{ANN} {ANN}", "keys.txt: the key of 'ann' must have 20 or more"),
        (f"ann:{ANN}é", "keys.txt: the key of 'ann' must have 20 or more"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path, lines, says):
    file = tmp_path / "keys.txt"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(says)) as refused:
        Keys.read(file)
    assert ANN[:-1] not in str(refused.value)
