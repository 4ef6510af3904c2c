import pytest

from rag.answer.particulars import known, particulars


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Clara Lindt founded it in 1911.", {"clara", "lindt", "1911"}),
        ("The museum moved. It shows forty ships.", {"40"}),
        ("Residents left; the Mayor stayed.", {"mayor"}),
        ("Mr. Kim and Mrs. Lindt met.", {"kim", "lindt"}),
        ("It cost 1,200.50 crowns.", {"1200.50"}),
        ("No, Ann's boat sank.", {"ann"}),
        ("nothing at all", set()),
        ("", set()),
    ],
)
def test_names_and_numbers_are_found(text: str, found: set[str]) -> None:
    assert particulars(text) == found


def test_they_are_compared_in_whatever_case_and_ending_they_stand() -> None:
    article = ["the north koreans offered to shut two reactors in 2019", "Vietnam's capital"]
    assert particulars("In 2019 the North Korean side and the Vietnamese shut 2 reactors.") <= known(article)
    assert particulars("Otto Brandt shut 3 reactors.") - known(article) == {"otto", "brand", "3"}
