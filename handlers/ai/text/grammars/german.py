"""German, as the card rules need it."""

from __future__ import annotations

from handlers.ai.text.grammars.grammar import UNITS, Grammar
from handlers.ai.text.languages import word_set

GERMAN = Grammar(
    articles=word_set("ein eine der die das"),
    questions={
        "ist": "Was ist {}?",
        "sind": "Was sind {}?",
        "war": "Was war {}?",
        "waren": "Was waren {}?",
        "bezeichnet": "Was bezeichnet {}?",
        "bedeutet": "Was bedeutet {}?",
    },
    who={"ist": "Wer ist {}?", "war": "Wer war {}?", "waren": "Wer waren {}?", "sind": "Wer sind {}?"},
    what_is="Was ist {}?",
    what_are="Was sind {}?",
    stands_for="Wofür steht {}?",
    persons=tuple(
        word_set(
            """
            physiker physikerin chemiker chemikerin philosoph philosophin mathematiker dichter
            schriftsteller schriftstellerin komponist maler malerin politiker politikerin könig
            königin kaiser kaiserin ingenieur erfinder arzt ärztin biologe astronom astronomin mönch
            forscher forscherin
            """
        )
    ),
    openers=word_set("ein eine einer der die das den jede jeder jedes"),
    empty=word_set("grund ergebnis fall größe folge frage antwort beispiel problem gleiche selbe"),
    relatives=word_set("der die das dessen deren welche welcher welches"),
    leans_back=word_set(
        """
        dies diese dieser dieses dieselbe es er sie ihr ihre sein seine man wir unser ich du dabei
        dadurch damit danach dann deshalb daher darum dennoch jedoch aber und oder denn doch auch
        außerdem zudem hier dort so somit solche solcher beide einige manche viele was wer wie wann
        warum wo wenn weil obwohl schließlich später zuvor dazu davon darin daraus hierbei trotzdem
        andere kein keine
        """
    ),
    prepositions=word_set(
        """
        in im an am auf bei von vom mit ohne während nach vor seit bis zwischen unter über durch für
        gegen trotz laut aus zu zum zur um
        """
    ),
    talks=word_set("video folie folien vorlesung kapitel abbildung"),
    reader=word_set("ich wir uns unser unsere du dein"),
    naming=("genannt", "heißt", "heißen"),
    months=word_set(
        """
        januar februar märz april mai juni juli august september oktober november dezember
        """
    ),
    counts=word_set("zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"),
    units=UNITS
    | word_set(
        """
        prozent kilometer meter grad jahre jahren tage tagen stunden minuten sekunden tonnen
        kilogramm gramm liter millionen milliarden einwohner menschen
        """
    ),
    lowercase_nouns=False,
)
