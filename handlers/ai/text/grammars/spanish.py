"""Spanish, as the card rules need it."""

from __future__ import annotations

from handlers.ai.text.grammars.grammar import UNITS, Grammar
from handlers.ai.text.languages import word_set

SPANISH = Grammar(
    articles=word_set("un una el la los las"),
    questions={
        "es": "¿Qué es {}?",
        "son": "¿Qué son {}?",
        "era": "¿Qué era {}?",
        "eran": "¿Qué eran {}?",
        "fue": "¿Qué fue {}?",
        "fueron": "¿Qué fueron {}?",
        "significa": "¿Qué significa {}?",
        "consiste en": "¿En qué consiste {}?",
    },
    who={"es": "¿Quién es {}?", "era": "¿Quién era {}?", "fue": "¿Quién fue {}?"},
    what_is="¿Qué es {}?",
    what_are="¿Qué son {}?",
    stands_for="¿Qué significa {}?",
    persons=tuple(
        word_set(
            """
            físico químico filósofo filósofa matemático escritor escritora poeta compositor pintor
            pintora rey reina emperador emperatriz presidente presidenta ingeniero inventor médico
            biólogo astrónomo militar
            """
        )
    ),
    openers=word_set("un una el la los las todo toda cualquier"),
    empty=word_set("razón resultado caso mismo misma tamaño pregunta respuesta ejemplo problema"),
    relatives=word_set("que quien cuyo cuya donde"),
    leans_back=word_set(
        """
        este esta estos estas esto ese esa eso aquel él ella ellos ellas ello su sus se lo le nos
        nosotros yo tú usted pero y o e ni pues entonces así luego después además también sin
        embargo porque cuando si como qué quién cómo dónde aquí allí algunos muchos varios otro otra
        otros tal tales
        """
    ),
    prepositions=word_set(
        """
        en de del a al por para con sin sobre bajo durante tras desde hasta entre según contra hacia
        ante mediante
        """
    ),
    talks=word_set("video vídeo diapositiva clase capítulo figura"),
    reader=word_set("yo nosotros nuestro nuestra tú tu usted ustedes"),
    naming=(
        "llamado",
        "llamada",
        "llamados",
        "llamadas",
        "denominado",
        "denominada",
        "conocido como",
        "conocida como",
    ),
    months=word_set(
        """
        enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
        """
    ),
    counts=word_set("dos tres cuatro cinco seis siete ocho nueve diez once doce"),
    units=UNITS
    | word_set(
        """
        kilómetros metros grados años días horas minutos segundos toneladas kilogramos gramos litros
        millones habitantes personas
        """
    ),
)
