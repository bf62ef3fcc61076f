"""Which language a text is in, from its most ordinary words: the first question of every analysis.

Stop words decide between languages of the Latin alphabet, the script decides the others. A short or
mixed text answers `None`: a wrong language would pick the wrong card rules.
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
import unicodedata
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")

SAMPLE_CHARACTERS = 20_000
LEAST_WORDS = 8
LEAST_SHARE = 0.14
LEAST_LEAD = 1.25  # over the second best language: Spanish and Portuguese share many small words

_STOP_WORD_TEXT = {
    "en": """
        a about after all also an and any are as at be because been before being between both but by can
        could did do does during each for from had has have he her him his how i if in into is it its may
        might more most must no not of on one only or other our out over she should so some such than that
        the their them then there these they this those through to under until up very was we were what
        when where which while who whose why will with within without would you your
    """,
    "de": """
        aber als am an auch auf aus bei bis das dass dem den der des die diese dieser dieses doch durch
        ein eine einem einen einer eines er es für gegen haben hat hatte ich ihr ihre im in ist ja kann
        kein keine können man mehr mit muss nach nicht noch nur oder ohne sein seine sich sie sind so über
        um und unter vom von vor war waren was wenn wer werden wie wir wird wurde wurden zu zum zur
        zwischen
    """,
    "fr": """
        à au aux avec ce ces cette comme dans de des du elle elles en entre est et était étaient être eux
        fut il ils je la le les leur leurs lui mais ne nous on ont ou où par pas plus pour qu que qui sa
        sans se ses si son sont sous sur tout tous très un une vous l d s n c
    """,
    "es": """
        a al como con contra cuando de del desde donde durante el ella ellos en entre era eran es esta
        este estos fue fueron ha han hasta hay la las le les lo los más mi muy ni no nos o para pero por
        porque que se según ser si sin sobre son su sus también tan todo todos un una unas unos y ya
    """,
    "it": """
        a ai al alla anche che chi ci come con da dal dalla dei del della delle dello di dove e è ed era
        erano fra gli ha hanno i il in io la le lo loro ma nel nella nelle non o per più perché quando
        questa questo se si sono sua suo su sul sulla tra tutti un una uno
    """,
    "pt": """
        a ao aos as até com como da das de do dos e é ela ele eles em entre era essa esse esta este eu foi
        foram há isso já mais mas na nas não no nos o os ou para pela pelo por porque quando que se sem
        ser seu sua são sobre também tem um uma
    """,
    "nl": """
        aan al als bij dan dat de deze die dit door een en er had heeft het hij hun ik in is je kan maar
        meer met na naar niet nog of om onder ook op over te tot uit van veel voor waren was we wordt
        worden ze zich zijn zo zoals
    """,
}
STOP_WORDS = {code: frozenset(text.split()) for code, text in _STOP_WORD_TEXT.items()}
ALL_STOP_WORDS = frozenset().union(*STOP_WORDS.values())

_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh",
    "GREEK": "el", "THAI": "th", "HEBREW": "he",
}  # fmt: skip


def word_set(text: str) -> frozenset[str]:
    """The words of a list as it is written in the sources here: parted by white space."""
    return frozenset(text.split())


def words_of(text: str) -> list[str]:
    """The words of a text, as written, numbers left out."""
    return WORD.findall(text)


def stop_words(language: str | None) -> frozenset[str]:
    """The stop words of a language; of all known ones when the language is not known."""
    return STOP_WORDS.get(language or "", ALL_STOP_WORDS)


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of a text's language, or `None` when the text does not say enough."""
    sample = text[:SAMPLE_CHARACTERS]
    by_script = _language_of_script(sample)
    if by_script:
        return by_script
    words = [part for word in words_of(sample.lower()) for part in re.split(r"['’]", word)]
    if len(words) < LEAST_WORDS:
        return None
    counts = Counter(words)
    shares = sorted(
        (sum(counts[word] for word in known) / len(words), code) for code, known in STOP_WORDS.items()
    )
    (second, _), (best, code) = shares[-2], shares[-1]
    return code if best >= LEAST_SHARE and best >= LEAST_LEAD * second else None


def _language_of_script(sample: str) -> str | None:
    letters = [character for character in sample[:2_000] if character.isalpha()]
    scripts = Counter(
        _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0]) for letter in letters
    )
    known = {code: count for code, count in scripts.items() if code}
    if not known or sum(known.values()) < len(letters) / 2:
        return None
    # Japanese mixes its syllables with Chinese characters: a fifth of syllables settles it.
    if known.get("ja", 0) * 5 >= sum(known.values()):
        return "ja"
    return max(known, key=lambda code: known[code])
