"""Whether a text seems to be English: short invented ones, and English as transcripts have it."""

import re

import pytest

from rag import seems_english

ENGLISH = (
    "The lamp at the point was lit for the first time in spring, and the fishermen said that they had never seen it so "
    "bright. Nobody asked who would pay for it. In the end the town did, which is why the bridge was never built."
)
OTHERS = {
    "German": "Die Lampe am Hafen wurde im Frühjahr zum ersten Mal angezündet, und die Fischer sagten, so hell war es "
    "noch nie. Wer das bezahlt, hat niemand gefragt. Am Ende war es die Stadt, die in der Not sparen muss.",
    "French": "On a allumé la lampe du port au printemps, et les pêcheurs ont dit que personne ne l'avait vue si "
    "claire. Qui va payer, on me le demande. As-tu lu le journal? La ville paie, et le pont attendra.",
    "Spanish": "La lámpara del puerto se encendió en primavera, y no hay pescador que la haya visto tan clara. Nadie "
    "preguntó quién la paga. Al final la paga el pueblo, y por eso no se hace el puente, a no ser que alguien ayude.",
    "Dutch": "De lamp in de haven was in het voorjaar voor het eerst aan, en wie er had gevist vond hem mooi of te "
    "fel. Is er iemand die weet wat het kost? De stad had het geld, en we hebben er dus geen brug van over.",
    "Danish": "Lampen i havnen har været tændt for første gang, og de fiskere der var ude, har sagt at den er for "
    "stærk. Hvem skal have regningen? Byen, for at man ikke kan få en bro og en lampe på én gang.",
    "Polish": "Lampa w porcie zapaliła się wiosną, a rybacy mówili, że to było jak dzień. Nikt nie pytał, kto za to "
    "zapłaci. W końcu zapłaciło miasto, by nikt nie mówił, że to nie jego sprawa, i mostu nie ma do dziś.",
    "Russian": "Лампу в порту зажгли весной, и рыбаки сказали, что светло как днём.",
    "Chinese": "港口的灯在春天第一次点亮，渔民们说从来没有这么亮过。",
    "Arabic": "أضيء مصباح الميناء في الربيع لأول مرة، وقال الصيادون إنهم لم يروا مثله.",
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_languages_do_not_seem_english_however_they_are_written(text):
    for form in (text, text.upper(), re.sub(r"[^\w\s]", "", text.lower())):
        assert not seems_english(form)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        ENGLISH.upper(),
        re.sub(r"[^\w\s]", " ", ENGLISH.lower()),
        f"{ENGLISH} 14,000 26.5 % (p. 7) {OTHERS['Chinese']}",
        "Ferry timetable 2026",
        "",
    ],
    ids=["prose", "capitals", "transcript", "with a quotation", "a few words", "nothing"],
)
def test_english_does_and_so_does_what_is_too_short_to_tell(text):
    assert seems_english(text)
