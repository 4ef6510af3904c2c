import pytest

from rag.answer.grounding import Verdict, check, unsupported_words

BRIDGE = (
    "The stone bridge over the Arle, which Maria Holt designed in 1931, was closed after the spring flood weakened "
    "two of its piers."
)
CALL = "President Trump called President Moon on the flight home and told him that he would lift no sanctions."
LIFE = "Anna Berg was born in Lyon in 1820, studied law in Paris and died in Geneva in 1890."
MINISTER = "Ri Yong Ho, North Korea's foreign minister, told reporters on Friday that the offer would never change."
NUMBERS = "At one of the worst sites, only six of some 2,500 British and Australian prisoners survived the march."
PASSIVE = "In 1951 the treaty was signed in Paris by Jean Monnet, the French envoy."
PLANS = "Kim agreed to shut the Yongbyon plant if all sanctions were lifted, but he may still keep other sites."
BARE = "mr trump s high stakes summit with mr kim ended early after they could not agree on sanctions"
CLAIM = "Critics claim that the dam is unsafe, and the mayor said the town might sue its builder."
LISTS = "The team beat Spain, France and Italy but lost to Brazil, the champion, in the final."

SUPPORTED = [
    (BRIDGE, "The bridge was closed after the flood weakened two of its piers."),
    (BRIDGE, "The stone bridge over the Arle was closed after the spring flood weakened two of its piers."),
    (BRIDGE, "After the spring flood weakened two of its piers, the bridge was closed."),
    (BRIDGE, "The bridge was closed."),
    (CALL, "Trump called Moon on the flight home."),
    (CALL, "On the flight home, President Trump called President Moon."),
    (CALL, "President Moon was called by President Trump on the flight home."),
    (LIFE, "Anna Berg was born in Lyon in 1820."),
    (LIFE, "Anna Berg studied law in Paris."),
    (LIFE, "Anna Berg died in Geneva."),
    (LIFE, "Anna Berg died in Geneva in 1890."),
    (MINISTER, "Ri Yong Ho is North Korea's foreign minister."),
    (MINISTER, "North Korea's foreign minister is Ri Yong Ho."),
    (MINISTER, "Ri Yong Ho said that the offer would never change."),
    (MINISTER, "Ri Yong Ho told reporters that the offer would never change."),
    (NUMBERS, "Only 6 of some 2500 British and Australian prisoners survived the march."),
    (PASSIVE, "The treaty was signed in Paris by Jean Monnet."),
    (PASSIVE, "The treaty was signed in Paris in 1951."),
    (PASSIVE, "In 1951, the treaty was signed by Jean Monnet."),
    (PLANS, "Kim agreed to shut the Yongbyon plant if all sanctions were lifted."),
    (BARE, "Mr. Trump's high-stakes summit with Mr. Kim ended early after they couldn't agree on sanctions."),
    ("Kim flew home, but Moon stayed in Hanoi.", "Moon stayed in Hanoi."),
    ("Kim flew home because Moon stayed in Hanoi.", "Moon stayed in Hanoi."),
    (BARE, "Trump's summit with Mr. Kim ended early."),
    (CLAIM, "Critics claim that the dam is unsafe."),
    (LISTS, "The team beat Spain, France and Italy."),
    (LISTS, "The team lost to Brazil in the final."),
    ("The treaty had been signed in May 1951.", "The treaty was signed in May 1951."),
    ("The first satellite, called Orbit-1A, was lost.", "The first satellite was called Orbit-1A."),
    ("The summit was held in Hanoi in 2019.", "The summit took place in Hanoi."),
    ("The talks won't resume, and the U.S. has left.", "The talks will not resume."),
    ("Sales rose by twenty percent to $2.5 million.", "Sales rose by 20% to $2,500,000."),
    ("The children's choir sings two songs.", "The choir sings two songs."),
    ("The woman who led the raid was arrested in May.", "The woman was arrested."),
]
UNSUPPORTED = [
    # words from nowhere
    (BRIDGE, "The bridge was closed because of an earthquake."),
    (BRIDGE, "The bridge in Berlin was closed."),
    (BRIDGE, "Maria Holt designed the bridge in 1932."),
    (PASSIVE, "General Monnet signed the treaty."),
    # who did what
    (CALL, "Moon called Trump on the flight home."),
    (CALL, "President Trump was called by President Moon."),
    (CALL, "Trump told Moon on the flight home."),
    (CALL, "Trump called on Trump to call on the flight home."),
    (PASSIVE, "Jean Monnet was signed by the treaty."),
    (PASSIVE, "The treaty signed Jean Monnet in Paris."),
    (LISTS, "Brazil lost to the team in the final."),
    (LISTS, "The team beat Brazil in the final."),
    (LISTS, "Italy lost to Brazil."),
    (LISTS, "Spain beat France."),
    # what belongs to what
    (LIFE, "Anna Berg was born in Paris."),
    (LIFE, "Anna Berg was born in 1890."),
    (LIFE, "Anna Berg died in Lyon."),
    (LIFE, "Anna Berg studied law in Geneva."),
    (LIFE, "Anna Berg died in 1820."),
    (BRIDGE, "The flood was closed."),
    (BRIDGE, "The bridge weakened two of its piers."),
    (BRIDGE, "Maria Holt was closed."),
    (NUMBERS, "2,500 British and Australian prisoners survived."),
    (NUMBERS, "British and Australian prisoners survived the march."),
    (NUMBERS, "Six prisoners survived the worst march."),
    # negation, possibility, condition, amount, attribution
    (CALL, "Trump told him that he would lift sanctions."),
    (CALL, "President Trump did not call President Moon."),
    (CALL, "Trump lifted no sanctions."),
    (MINISTER, "Ri Yong Ho said that the offer would change."),
    (MINISTER, "The offer never changed."),
    (MINISTER, "The offer would never change."),
    (PLANS, "Kim agreed to shut the Yongbyon plant."),
    (PLANS, "Kim shut the Yongbyon plant."),
    (PLANS, "All sanctions were lifted."),
    (PLANS, "Kim may keep all sites."),
    (PLANS, "Kim keeps other sites."),
    (BARE, "They could agree on sanctions."),
    (BARE, "Mr. Kim ended the summit early."),
    (CLAIM, "The dam is unsafe."),
    (CLAIM, "The town might sue its builder."),
    (CLAIM, "The mayor said the dam is unsafe."),
    (CLAIM, "The town sued its builder."),
    ("Oslo is the largest city in Norway.", "Oslo is the largest city."),
    ("Women under twenty may not vote in Ruritania.", "Women may not vote."),
    ("All ships except the Wasa sailed.", "All ships sailed."),
    ("He left without signing anything.", "He signed."),
    ("Trump called Moon a liar.", "Trump called Moon."),
    ("The committee chairs the bridge project.", "The committee chairs the bridge."),
    ("The fake general was arrested.", "The general was arrested."),
    ("The man shot the dog.", "The man was shot."),
    ("The dam failed, Jones said.", "The dam failed."),
    ("The rate is between three and five percent.", "The rate is three."),
    ("Rents rose by 3 to 5 percent.", "Rents rose by 3."),
    ("The reactor can be restarted if needed.", "The reactor can be restarted."),
    ("Neither Kim nor Trump signed the deal.", "Trump signed the deal."),
    ("Kim denied that troops crossed the border.", "Troops crossed the border."),
    ("Some guards were armed.", "Guards were armed."),
    ("The city was almost destroyed in the war.", "The city was destroyed in the war."),
    ("Kim is older than Moon.", "Moon is older than Kim."),
    ("The vote was postponed rather than cancelled.", "The vote was cancelled."),
    ("It is not true that the ship sank.", "The ship sank."),
    ("Kim told the brother of Moon to leave Seoul.", "Moon left Seoul."),
    ("Signing the treaty was impossible.", "Kim signed the treaty."),
    ("Trump wanted Kim to leave Hanoi.", "Kim left Hanoi."),
    ("She met the president of France, Macron, and left.", "Macron left."),
    ("Kim is the leader of the North.", "Kim has the leader of the North."),
    ("The treaty has signed parties.", "The treaty was signed."),
    ("On Monday Mr. Adams met Mr. Kim.", "On Monday Mr. Adam met Mr. Kim."),
    ("Plans by Kim and Trump failed.", "Trump failed."),
    ("Rivals such as Trump failed.", "Trump failed."),
    ("She was the first European chancellor.", "She was the first chancellor."),
    ("Old men may not vote.", "Men may not vote."),
    ("Kim will stay when Moon leaves.", "Moon leaves."),
    # not a finished sentence about the quote
    (BRIDGE, ""),
    (BRIDGE, "The bridge"),
    (BRIDGE, "The bridge was closed after the"),
    (BRIDGE, "I think the bridge was closed."),
    (BRIDGE, "As an AI, I cannot say when the bridge was closed."),
    (BRIDGE, "Answer: The bridge was closed."),
    (BRIDGE, "Was the bridge closed after the flood?"),
    (BRIDGE, "The bridge was closed, the bridge was closed, the bridge was closed."),
    ("", "The bridge was closed."),
    ("", ""),
]


@pytest.mark.parametrize(("quote", "statement"), SUPPORTED)
def test_a_compression_of_the_quote_is_supported(quote, statement):
    verdict = check(statement, quote)
    assert verdict.supported, verdict.reason
    assert verdict.unsupported == ()


@pytest.mark.parametrize(("quote", "statement"), UNSUPPORTED)
def test_what_the_quote_does_not_say_is_not_supported(quote, statement):
    verdict = check(statement, quote)
    assert not verdict.supported
    assert verdict.reason
    assert "\n" not in verdict.reason


def test_the_reason_names_the_first_new_word():
    assert check("The bridge in Berlin was closed.", BRIDGE) == Verdict(
        supported=False, reason='the quote does not say "berlin"', unsupported=("berlin",)
    )
    verdict = check("The old bridge was closed.", BRIDGE, "Why was the old bridge closed?")
    assert verdict.reason == 'only the question says "old"'


WHOLE = [BRIDGE, CALL, LIFE, MINISTER, NUMBERS, PASSIVE, PLANS, BARE, CLAIM, LISTS]


@pytest.mark.parametrize("quote", WHOLE)
def test_a_quote_supports_itself_in_any_case_and_without_punctuation(quote):
    assert check(quote, quote).supported
    bare = " ".join("".join(c if c.isalnum() else " " for c in quote.replace(",5", "5")).lower().split())
    assert check(bare, bare).supported
    assert check(quote, quote.lower()).supported


@pytest.mark.parametrize("quote", WHOLE)
def test_a_changed_number_a_new_word_or_a_negation_fails(quote):
    tokens = quote.split()
    for at, token in enumerate(tokens):
        if any(c.isdigit() for c in token):
            assert not check(" ".join([*tokens[:at], "77", *tokens[at + 1 :]]), quote).supported
        for inserted in ("not", "zebra", "12", "may", "only"):
            assert not check(" ".join([*tokens[:at], inserted, *tokens[at:]]), quote).supported, (at, inserted)


@pytest.mark.parametrize(
    ("quote", "one", "other"),
    [
        (CALL, "Trump", "Moon"),
        (LIFE, "Lyon", "Geneva"),
        (LIFE, "1820", "1890"),
        (LISTS, "Italy", "Brazil"),
        (PASSIVE, "Paris", "Monnet"),
        (BRIDGE, "flood", "bridge"),
    ],
)
def test_swapping_two_names_fails(quote, one, other):
    swapped = quote.replace(one, "@").replace(other, one).replace("@", other)
    assert swapped != quote
    assert not check(swapped, quote).supported


@pytest.mark.parametrize("quote", WHOLE)
def test_dropping_a_guard_word_fails(quote):
    tokens = quote.split()
    for guard in ("no", "not", "never", "may", "might", "would", "only", "some", "if", "could"):
        if guard in tokens:
            assert not check(" ".join(token for token in tokens if token != guard), quote).supported, guard


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("Trump called on the flight home.", "Who did Trump call on the flight home?"),
        ("President Trump called President Moon.", "Did President Trump call President Moon?"),
        ("Trump called.", "Whom did Trump call?"),
    ],
)
def test_repeating_the_question_is_not_an_answer(statement, question):
    assert not check(statement, CALL, question).supported


def test_an_answer_adds_to_the_question():
    assert check("Trump called Moon on the flight home.", CALL, "Who did Trump call on the flight home?").supported


def test_words_of_the_question_do_not_become_claims():
    assert not check("General Monnet signed the treaty.", PASSIVE, "Which general signed the treaty?").supported
    assert not check("The secret treaty was signed in Paris.", PASSIVE, "Where was the secret treaty signed?").supported
    assert not check("Kim signed the treaty in Paris.", PASSIVE, "Where did Kim sign the treaty?").supported


def test_unsupported_words_allows_only_common_words_of_the_question():
    question = "Which secret treaty did Kim sign in 1950?"
    statement = "Kim signed no secret treaty in Berlin in 1950."
    assert unsupported_words(statement, PASSIVE) == ("kim", "no", "secret", "berlin", "1950")
    assert unsupported_words(statement, PASSIVE, question) == ("kim", "no", "berlin", "1950")
    assert unsupported_words("", "", "") == ()


def test_every_sentence_of_a_draft_is_checked():
    assert check("Anna Berg was born in Lyon. Anna Berg died in Geneva.", LIFE).supported
    assert not check("Anna Berg was born in Lyon. Anna Berg died in Paris.", LIFE).supported


@pytest.mark.parametrize(
    "text", ["", " ", ".", "?!", "\0", "a", "𝔘𝔫𝔦", "'s", "12", "the of and", "x" * 5000, "a " * 2000, "trump " * 2000]
)
def test_odd_texts_are_refused_without_errors(text):
    assert not check(text, CALL).supported
    assert not check(CALL, text).supported
