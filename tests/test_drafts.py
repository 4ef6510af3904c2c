"""What a draft states."""

import pytest

from rag import NO_ANSWER
from rag.answer.drafts import Draft


@pytest.mark.parametrize(
    "text",
    [
        NO_ANSWER,
        "No, the article does not say.",
        "The article doesn’t mention who paid for it.",
        "The cost of the bridge is not mentioned in the article.",
    ],
)
def test_a_refusal_in_whatever_words_states_nothing(text: str) -> None:
    assert Draft(text, -0.1, -0.1).sentences == []


def test_what_is_stated_beside_a_refusal_is_kept() -> None:
    said = "Lewis won silver. The article does not say why he retired. the mayor did not say when."
    assert Draft(said, -0.1, -0.1).sentences == ["Lewis won silver.", "The mayor did not say when."]
