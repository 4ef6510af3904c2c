"""What is nearly the same is recognised, and what merely has something in common is not."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fakes import FakeEmbedder
from hypothesis import given
from hypothesis import strategies as st

from rag.cli import main
from rag.library.collections import Library
from rag.library.duplicates import NEARLY, near_duplicates

FERRY = """\
The ferry to Aland was two hours late on Monday, as the harbour pilot had fallen ill during the night. A spokeswoman
of the company said that nobody had been hurt, and that the passengers were given soup and bread while they waited in
the hall.

The harbour master called it the longest delay of the winter. He wants a second pilot, whom the town would have to
pay, and will ask the council for the money when it meets again in March. Two members have already said that they are
against it.
"""
EXCERPT = FERRY.partition("night. ")[2]
SAME_EVENT = """\
On Monday travellers to Aland had to wait for two hours: the only pilot of the harbour was in bed with a fever. The
company handed out soup and bread to everybody in the hall, and there were no injuries, its spokeswoman told this
newspaper.

Now the harbour master hopes for a second pilot. When the council meets in March he will ask it to pay for one,
although two of its members are known to be against that. No delay of this winter was longer, he said.
"""
MUSEUM = """\
Clara Lindt founded the maritime museum in 1911 with the forty model ships that her father had left her. After the war
it moved to Basel, where it stands to this day between the river and the old customs house, with a garden behind it.

Next spring the third floor opens again. Its ceiling had to be lifted by a metre, for the masts of the largest of the
ships, and visitors will be able to see from a bridge how they are cleaned with brushes that are made of squirrel
hair.
"""
NOTICE = """
All rights reserved. Nothing on these pages may be copied without the written consent of the publisher. Subscribe to
our weekly letter, which is free, and tell us what you think of this article at the address that you find below.
"""
CHINESE = (
    "前往奥兰的渡轮星期一晚点两个小时，因为港口的领航员夜里生病了。"
    "公司的发言人说没有人受伤，乘客们在大厅里等候时得到了热汤和面包。"
)
CHINESE_TOO = (
    "克拉拉在一九一一年用父亲留给她的四十艘模型船创办了海事博物馆。"
    "战后博物馆迁到巴塞尔，至今仍在河边与旧海关之间，后面有一座花园。"
)


def containment(before: str, added: str) -> float:
    """How much of the shorter text stands in both, as far as that is told."""
    found = near_duplicates({"before": before, "added": added}, ["added"])
    return found["added"].containment if found else 0.0


@pytest.mark.parametrize(
    ("added", "least"),
    [
        (FERRY.replace("fallen ill", "falen ill"), 0.9),
        (FERRY + "\nThe next ferry leaves on Wednesday at noon, if the weather allows it, said the company.\n", 0.99),
        (f"{NOTICE}{FERRY}{NOTICE}", 0.99),
        (EXCERPT, 0.99),
        (FERRY.upper().replace(",", " –").replace("\n", "  \n "), 1.0),
        (FERRY, 1.0),
    ],
    ids=["a corrected typo", "an added paragraph", "a notice around it", "an excerpt", "cased and spaced", "the same"],
)
def test_another_version_of_an_article_is_nearly_the_same(added: str, least: float) -> None:
    assert least <= containment(FERRY, added) <= 1.0
    assert containment(added, FERRY) == containment(FERRY, added)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        (FERRY, SAME_EVENT),
        (FERRY + NOTICE, MUSEUM + NOTICE),
        (NOTICE + FERRY + NOTICE, NOTICE + SAME_EVENT + NOTICE),
        (
            FERRY,
            "Die Fähre nach Åland kam am Montag zwei Stunden zu spät, weil der Lotse in der Nacht erkrankt war. " * 3,
        ),
        (CHINESE * 3, CHINESE_TOO * 3),
        (CHINESE, FERRY),
        ("नौका सोमवार को दो घंटे देर से आई क्योंकि बंदरगाह का पायलट रात में बीमार पड़ गया था। " * 3, FERRY),
        ("ha " * 500, "ha " * 600),
        ("Seven owls sleep.", "Seven owls sleep!"),
        ("😀" * 900, "😀" * 900),
        ("", ""),
        ("", FERRY),
    ],
    ids=[
        *("the same event", "one notice", "the same event and one notice", "German", "Chinese", "Chinese and English"),
        *("Hindi and English", "one word", "short", "no letters", "empty", "empty and long"),
    ],
)
def test_different_articles_are_not(before: str, added: str) -> None:
    assert containment(before, added) == 0.0


def test_a_text_without_spaces_is_compared_as_any() -> None:
    before = "".join(Random(0).choices(CHINESE + CHINESE_TOO, k=600))
    assert NEARLY <= containment(before, before[:300] + CHINESE + before[300:]) < 1.0


def test_the_nearest_of_those_that_were_there_before_is_told() -> None:
    more = FERRY + SAME_EVENT
    texts = {"old": FERRY, "museum": MUSEUM, "typo": FERRY.replace("bread", "bred"), "both": more, "again": more}
    found = near_duplicates(texts, texts.keys())
    assert {key: other.id for key, other in found.items()} == {"typo": "old", "both": "old", "again": "both"}
    assert near_duplicates(texts, ["old", "gone"]) == near_duplicates(texts, []) == near_duplicates({}, ["a"]) == {}


def test_a_notice_that_many_have_does_not_hide_what_an_article_is_like() -> None:
    texts = {f"{number}": " ".join(map(str, range(number * 99, number * 99 + 99))) + NOTICE for number in range(40)}
    texts |= {"ferry": FERRY + NOTICE, "later": NOTICE + FERRY.replace("soup", "stew")}
    assert near_duplicates(texts, ["later"])["later"].id == "ferry"


def test_another_process_finds_the_same(tmp_path: Path) -> None:
    code = "import sys; from rag.library.duplicates import near_duplicates as n; print(n(eval(sys.argv[1]), ['b']))"
    texts = {"a": FERRY, "b": FERRY.replace("Monday", "Sunday")}
    told = {
        subprocess.run(
            [sys.executable, "-c", code, repr(texts)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout.decode()
        for seed in "12"
    }
    assert told == {f"{near_duplicates(texts, ['b'])}\n"}


@given(
    text=st.one_of(st.text(), st.text(st.characters(categories=["L", "Nd"]), min_size=100, max_size=600)),
    rest=st.text(max_size=600),
)
def test_a_text_is_contained_in_whatever_has_it_and_is_told_at_all_only_where_it_is_long(text: str, rest: str) -> None:
    assert containment(text, text) in {0.0, 1.0}
    assert len(text) >= 40 or containment(text, rest) == 0.0
    if containment(text, text):
        assert containment(text, f"{rest}{text}") == containment(f"{text}{rest}", text) == 1.0


def test_a_collection_keeps_both_and_says_so(library: Library, tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(FERRY, encoding="utf-8")
    (tmp_path / "museum.txt").write_text(MUSEUM, encoding="utf-8")
    assert library.add([tmp_path / "ferry.txt", tmp_path / "museum.txt"], "mine").nearly == {}
    (tmp_path / "later.txt").write_text(FERRY + "The pilot is well again.", encoding="utf-8")
    change = library.add([tmp_path], "mine")
    assert {key: (other.id, other.percent) for key, other in change.nearly.items()} == {"later": ("ferry", 100)}
    (tmp_path / "museum.txt").write_text(MUSEUM + "The bridge is new.", encoding="utf-8")
    change = library.add([tmp_path], "mine")
    assert (change.updated, change.nearly) == (("museum",), {})  # which is no other article
    assert set(library.open("mine").documents) > {"ferry", "museum", "later"}


def test_index_tells_below_what_it_added(
    home: Path, tmp_path: Path, embedder: FakeEmbedder, capsys: pytest.CaptureFixture[str]
) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "ferry.txt").write_text(FERRY, encoding="utf-8")
    (papers / "ferry-again.txt").write_text(EXCERPT, encoding="utf-8")
    assert main(["--home", str(home), "index", str(papers), "--collection", "mine"], embedder=embedder) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "mine: 2 added (ferry-again, ferry)"
    assert second == "ferry is nearly the same as ferry-again: 100% of the shorter one stands in both"
