"""What a draft states."""

import pytest

from rag import NO_ANSWER
from rag.answer.drafts import Draft, without_false_yes


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


@pytest.mark.parametrize(
    ("asked", "answer", "said"),
    [
        ("can it sail now?", "Yes, it cannot sail before May.", "it cannot sail before May."),
        ("were there any plans?", "yes, there were no plans.", "there were no plans."),
        ("can it sail now?", "Yes, it sails. It will not be late.", "Yes, it sails. It will not be late."),
        ("is it true that it can't sail?", "Yes, it cannot sail before May.", "Yes, it cannot sail before May."),
        ("can it sail now?", "No, it cannot sail before May.", "No, it cannot sail before May."),
        ("who can sail?", "Yes", "Yes"),
    ],
)
def test_a_yes_does_not_stand_before_a_denial_of_what_was_asked(asked: str, answer: str, said: str) -> None:
    assert without_false_yes(answer, asked) == said
