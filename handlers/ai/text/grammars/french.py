"""French, as the card rules need it."""

from __future__ import annotations

from handlers.ai.text.grammars.grammar import UNITS, Grammar
from handlers.ai.text.languages import word_set

FRENCH = Grammar(
    articles=word_set("un une le la les l' des"),
    questions={
        "est": "Qu'est-ce que {} ?",
        "sont": "Que sont {} ?",
        "était": "Qu'était {} ?",
        "étaient": "Qu'étaient {} ?",
        "fut": "Que fut {} ?",
        "désigne": "Que désigne {} ?",
        "signifie": "Que signifie {} ?",
    },
    who={"est": "Qui est {} ?", "était": "Qui était {} ?", "fut": "Qui fut {} ?"},
    what_is="Qu'est-ce que {} ?",
    what_are="Que sont {} ?",
    stands_for="Que signifie {} ?",
    persons=tuple(
        word_set(
            """
            physicien physicienne chimiste philosophe mathématicien écrivain poète compositeur
            peintre roi reine empereur impératrice président ingénieur inventeur médecin biologiste
            astronome
            """
        )
    ),
    openers=word_set("un une le la les l' des du toute tout"),
    empty=word_set("raison résultat cas même taille suite question réponse exemple problème"),
    relatives=word_set("qui que dont où"),
    leans_back=word_set(
        """
        ce cet cette ces c'est cela ça il elle ils elles on nous vous je tu leur leurs son sa ses
        mais et ou donc or ni car ainsi alors puis ensuite enfin cependant toutefois pourtant aussi
        ici là parce puisque quand si comme qui que quoi où pourquoi comment certains plusieurs
        beaucoup autre autres
        """
    ),
    prepositions=word_set(
        """
        en dans à au aux sur sous par pour avec sans pendant durant après avant depuis entre selon
        malgré de du d' chez vers contre dès
        """
    ),
    talks=word_set("vidéo diapositive cours chapitre figure"),
    reader=word_set("je nous notre nos vous votre vos"),
    naming=("appelé", "appelée", "appelés", "appelées", "nommé", "nommée"),
    months=word_set(
        """
        janvier février mars avril mai juin juillet août septembre octobre novembre décembre
        """
    ),
    counts=word_set("deux trois quatre cinq six sept huit neuf dix onze douze"),
    units=UNITS
    | word_set(
        """
        kilomètres mètres degrés ans années jours heures minutes secondes tonnes kilogrammes grammes
        litres millions milliards habitants personnes
        """
    ),
)
