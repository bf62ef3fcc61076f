"""English, as the card rules need it."""

from __future__ import annotations

from handlers.ai.text.grammars.grammar import UNITS, Grammar
from handlers.ai.text.languages import word_set

ENGLISH = Grammar(
    articles=word_set("a an the"),
    questions={
        "is": "What is {}?",
        "are": "What are {}?",
        "was": "What was {}?",
        "were": "What were {}?",
        "refers to": "What does {} refer to?",
        "refer to": "What do {} refer to?",
        "means": "What does {} mean?",
        "denotes": "What does {} denote?",
    },
    who={"is": "Who is {}?", "was": "Who was {}?", "were": "Who were {}?", "are": "Who are {}?"},
    what_is="What is {}?",
    what_are="What are {}?",
    stands_for="What does {} stand for?",
    persons=tuple(
        word_set(
            """
            physicist chemist scientist mathematician philosopher biologist botanist astronomer
            engineer inventor explorer author writer poet composer musician painter artist architect
            politician statesman president minister chancellor king queen emperor empress prince
            princess officer physician doctor economist historian monk priest pope lawyer soldier
            activist programmer leader goldsmith printer merchant sailor surgeon teacher judge general
            admiral captain astronaut architect sculptor bishop saint pharaoh psychologist geologist
            """
        )
    ),
    concepts=word_set(
        """
        process movement pigment fluid molecule enzyme organelle organelles region reaction tissue
        cell cells substance method technique theory study science branch state form type kind
        measure energy ability property structure part unit set change rate amount number ratio
        quantity disease condition mineral gas liquid metal acid release transfer conversion flow
        mass layer motion growth loss absorption exchange formation breakdown production distance
        pores protein proteins tool device line point curve function variable model law
        """
    ),
    countable=word_set(
        """
        part point place device tool machine person animal organ unit cell particle line instrument
        organelle vessel bone muscle
        """
    ),
    openers=word_set("a an the any one"),
    empty=word_set(
        """
        size reason result case same way time fact lot few bit good great bad next second other
        example key problem question answer point matter topic subject
        """
    ),
    relatives=word_set("that which who whose where"),
    leans_back=word_set(
        """
        this that these those it its they their them he she his her him we our you your i my such
        there here then thus hence therefore however moreover furthermore also but and or so because
        although though yet nevertheless instead otherwise meanwhile consequently additionally
        finally afterwards later similarly likewise both each either neither another others some
        many most one what when where who why how which if as to not no yes once nor
        """
    ),
    prepositions=word_set(
        """
        in on at by for from with without during after before since until between among under over
        through within into of about against despite according unlike like while
        """
    ),
    talks=word_set("let's lets today video slide slides lecture lesson chapter section figure"),
    reader=word_set("i we us our you your"),
    naming=("called", "known as", "termed", "named"),
    months=word_set(
        """
        january february march april may june july august september october november december
        """
    ),
    counts=word_set(
        """
        two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred
        """
    ),
    units=UNITS
    | word_set(
        """
        percent kilometres kilometers metres meters miles feet inches degrees years days hours
        minutes seconds weeks months centuries decades tonnes tons kilograms grams litres liters
        dollars euros pounds watts volts joules people inhabitants times million billion thousand
        trillion
        """
    ),
)
