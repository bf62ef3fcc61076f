"""What the samples say: short original prose with plain facts, so that the cards can be checked by eye."""

from __future__ import annotations

SLIDE_TITLE = "Photosynthesis"
SLIDE_LINES = (
    "Photosynthesis: the process by which plants turn light into chemical energy",
    "Chlorophyll: the green pigment that absorbs light",
    "Stomata: tiny pores in a leaf that let gases in and out",
    "Glucose: the sugar in which a plant stores energy",
    "Chloroplast: the part of a plant cell where photosynthesis takes place",
)
SLIDE_NOTE = "Carbon dioxide + water + light = glucose + oxygen"

PDF_TITLE = "The Water Cycle"
# One string per page; a line that starts with "#" is a heading.
PDF_PAGES = (
    """\
# An endless journey

The water cycle is the continuous movement of water between the oceans, the air and the land. It has no
beginning and no end. The Sun provides the energy that keeps it moving.

About 71 percent of the surface of the Earth is covered by water. The oceans hold about 97 percent of it,
and that water is salty. Less than 3 percent is fresh, and most of the fresh water is frozen in glaciers
and ice caps.

# Evaporation

Evaporation is the change of a liquid into a gas at its surface. When the Sun warms the sea, water
evaporates and leaves its salt behind. Wind and dry air make evaporation faster.

Transpiration is the release of water vapour from the leaves of plants. A large oak can release about
150,000 litres of water in a year.
""",
    """\
# Condensation and clouds

Condensation is the change of a gas into a liquid. Warm air rises and cools, and its vapour condenses on
tiny grains of dust or salt. Such a grain is called a condensation nucleus.

A cloud is a mass of very small water droplets or ice crystals that float in the air. In 1803 the English
chemist Luke Howard published the names that are still used for clouds today: cumulus, stratus and cirrus.

# Precipitation

Precipitation is any form of water that falls from clouds to the ground. It includes rain, snow, sleet and
hail. A raindrop falls at up to 9 metres per second.

Mawsynram, a village in India, is one of the wettest places on Earth. It receives almost 12,000
millimetres of rain in an average year.
""",
    """\
# Below the ground

Infiltration is the movement of water from the surface into the soil. The water that fills the spaces
between soil and rock is called groundwater. An aquifer is a layer of rock or sand that stores groundwater
and lets it flow.

Runoff is the water that flows over the land into streams, rivers and lakes. Paved ground increases
runoff, because water cannot sink into it.

# How people learned about it

In 1580 the French potter Bernard Palissy wrote that rain alone is enough to feed springs and rivers. In
1674 Pierre Perrault measured the rain in the valley of the upper Seine and showed that he was right: the
rain was about six times the flow of the river.

The residence time is the average time that a water molecule spends in one place. It is about 9 days in
the air and about 3,000 years in the oceans.
""",
)

SUBTITLES = (
    (0.2, 1.7, "The Moon is the only natural satellite of the Earth."),
    (1.8, 3.3, "A lunar phase is the part of the Moon that we see lit by the Sun."),
    (3.4, 4.9, "The Moon takes about 29.5 days from one full moon to the next."),
)

NOTE = """\
# Plate tectonics

Plate tectonics is the theory that the outer shell of the Earth is divided into plates that move slowly.
Most plates move between 1 and 10 centimetres in a year.

## Key terms

- **Lithosphere**: the rigid outer layer of the Earth, made of the crust and the upper mantle
- **Asthenosphere**: the soft, slowly flowing layer of the mantle below the lithosphere
- **Subduction**: the process in which one plate slides under another and sinks into the mantle
- **Epicentre**: the point on the surface directly above the origin of an earthquake

## Boundaries

A divergent boundary is a place where two plates move apart. The Mid-Atlantic Ridge is a divergent boundary
on which Iceland lies. A convergent boundary is a place where two plates collide. The Himalayas began to rise
about 50 million years ago, when India collided with Asia.

A transform boundary is a place where two plates slide past each other. The San Andreas Fault in California
is about 1,200 kilometres long.

## History

In 1912 Alfred Wegener proposed that the continents had once been joined. He called the ancient continent
Pangaea. His idea was widely accepted only in the 1960s, after the discovery of seafloor spreading.

The Global Positioning System (GPS) measures the motion of plates to within a few millimetres per year.
"""
