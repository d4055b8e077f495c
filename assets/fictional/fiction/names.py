"""Invented names. Every pool is cut into one part for each split, so no name occurs in two splits."""

import itertools
import random
import zlib
from collections.abc import Iterator

from .entities import Entity

SHARES = {"train": 0.32, "dev": 0.13, "test": 0.13, "distant": 0.42}  # of each pool

WOMEN = (
    "Mara Ilse Nerys Odile Tamsin Brida Corin Delphine Elin Freya Greta Hanne Imke Jorunn Katrin Liesel Maren Nadia "
    "Oriel Petra Quilla Rosamund Signe Thea Ursel Vesna Wilma Yrsa Zora Agathe Bettina Clio Dagny Edda Fenna Gisela "
    "Hedda Isolde Jolanta Kirsten Leonie Magda Noor Ottilie Paulina Ragna Sidonie Tilda Undine Valeska"
).split()
MEN = (
    "Aldo Bram Casper Dorian Edwin Florian Gideon Hector Ivo Jasper Konrad Leander Matthias Niels Oskar Piers Quentin "
    "Ruben Stellan Tobias Ulrich Viktor Willem Yannick Zeno Anselm Bastian Cyprian Dietmar Emeric Fergus Gunnar "
    "Hendrik Ingmar Jorgen Klaus Lorenz Magnus Norbert Ottokar Pascal Reinhold Sander Torvald Urban Valentin Wendel "
    "Axel Benno Clemens"
).split()
SURNAMES = (
    "Quill Brack Halloran Vennor Ostrander Pellworth Tarn Iverly Sorrel Mottram Dunmere Castellan Farrow Greaves "
    "Hollis Inchbald Jessop Kestrel Lorrimer Marchbank Nettle Orlane Penhallow Quarrie Rusk Sedgefield Thorne Underhay "
    "Vasser Wexley Yarrow Zeller Abernath Bellamont Crake Dreyer Elsworth Fennimore Garrick Hathersage Ismay Jarrold "
    "Kilbride Lachance Meadows Norring Oxley Prewett Ravensby Stannard Tolliver Umber Vickery Wainfleet Ashdown "
    "Birchall Corvane Dashwell Everett Folliot Gainsby Harcastle Ingoldby Jellicoe Kemble Lydgate Merriden Nightley "
    "Ormerod Pargeter Quennell Rookwood Swale Trelawn Upcott Vance Whitlock Yelland Arkwell Bramhall Cotterel "
    "Daventry Eastlake Fothering Goldacre Hobday Isherton Jocelyn Kettering Langmuir Mordaunt Northcliff Osgood "
    "Pomfret Rainsford Satterley Tunnicliff Wadham Amblecote Bostock Clavering Drummore Enderby Fairweather Gatling"
).split()
INITIALS = "ABCDEFGHJKLMNOPRSTVW"
STEMS = (
    "Tel Bren Ostr Cald Mer Fal Hav Lin Nor Pell Quar Ros Sel Thar Ulm Ver Wex Yar Zel Ard Bel Crev Dor Elm Fen "
    "Gar Hol Ist Jev Kel Lor Mal Nev Orm Pol Rav Stav Tor Und Vor Wend Alb Bor Cor Dun Esk Gol Hest Ing Kar"
).split()
ENDINGS = "dane moor el wick haven ford by mouth ster ton vale holm ney gard wold minster combe bury rick low".split()
REGION_FORMS = (
    "Upper {}",
    "{} Valley",
    "Lower {}",
    "{} Province",
    "North {}",
    "{} Marches",
    "South {}",
    "{} Highlands",
)
REGION_ENDINGS = "ow ia mark ese ath land und esh and ern".split()
FIELDS = (
    "Optical Tramway Salt Ceramics Lantern Timber Telegraph Clockwork Canal Linen Copper Paper Dredging Instrument "
    "Cable Bicycle Glass Cider Railway Turbine Carpet Marine Slate Brewing Pigment Sugar Balloon Piano Harvester "
    "Typewriter"
).split()
FIRM_FORMS = ("Company", "Works", "Brothers", "Society", "Institute", "Trust", "Cooperative", "Laboratories")
FIRM_FORMS_PLAIN = ("{} and Sons", "{} Courier", "{} Gazette", "{} Foundry", "{} Museum", "{} Theatre")
SCHOOL_FORMS = ("{} College", "University of {}", "{} Academy", "{} School of Mines", "{} Conservatory")
PRESS_WORDS = (
    "Larkspur Heron Juniper Compass Sextant Marigold Hazel Ember Plover Thistle Anvil Beacon Cormorant Damson Easel "
    "Ferryman Gannet Hearth Inkwell Jackdaw Kiln Linnet Mulberry Nutmeg Osprey Parsley Quince Rowan Sparrow Teasel"
).split()
PRESS_FORMS = ("{} Press", "{} House", "{} Editions", "{} and Daughters")
ADJECTIVES = (
    "Salt Silent Borrowed Second Northern Glass Crooked Winter Hollow Burning Patient Paper Drowned Amber Iron Little "
    "Seventh Distant Careless Blue Stolen Folded Evening Bitter Copper Wandering Narrow Painted Sleeping Golden "
    "Unwritten Lower Fragile Velvet Thirteenth Quiet Scarlet Broken Tidal Pale"
).split()
NOUNS = (
    "Ledger Orchard Lighthouse Almanac Harbour Cartographer Sparrow Bridge Window Physician Season Garden Clock Letter "
    "Staircase River Widow Map Ferry Meridian Choir Lantern Archive Island Weaver Kingdom Mirror Signal Tenant Voyage"
).split()
WORK_FORMS = (
    "The {a} {n}",
    "{a} {n}s",
    "The {a} {n} and the {m}",
    "{n} of the {a} {m}",
    "Songs for the {a} {n}",
)
EVENT_FORMS = ("{a} {n} Fair", "{a} {n} Regatta", "{a} {n} Congress", "{a} {n} Prize", "{a} {n} Festival")
EVENT_NOUNS = (
    "Harvest Lantern Anchor Chess Orchid Kite Bell Mill Oar Barley Compass Fiddle Sail Feather Cobble Spindle Acorn "
    "Tulip Skate Heather"
).split()


def share(pool: list, split: str) -> list:
    """The part of a pool that belongs to a split: the same for every run, disjoint from the other parts."""
    mixed = sorted(pool)
    random.Random("pools").shuffle(mixed)
    start = 0.0
    for name, size in SHARES.items():
        part = mixed[round(start * len(mixed)) : round((start + size) * len(mixed))]
        if name == split:
            return part
        start += size
    raise KeyError(split)


def acronym_of(name: str, split: str) -> str | None:
    """Of names of three words or more, if it belongs to this split: acronyms are shared out by their checksum."""
    letters = "".join(word[0] for word in name.split() if word[0].isupper())
    if len(letters) < 3:
        return None
    place, start = zlib.crc32(letters.encode()) / 2**32, 0.0
    for owner, size in SHARES.items():
        start += size
        if place < start:
            return letters if owner == split else None
    return None


class Names:
    """New names for one split; none is given twice."""

    def __init__(self, split: str) -> None:
        self.split = split
        self.rng = random.Random(f"names of {split}")
        self.women, self.men, self.surnames = (share(x, split) for x in (WOMEN, MEN, SURNAMES))
        self.stems = share(STEMS, split)
        self.towns = self.shuffled(stem + end for stem, end in itertools.product(self.stems, ENDINGS))
        region_stems = [stem + end for stem, end in itertools.product(self.stems, REGION_ENDINGS)]
        self.regions = self.shuffled(form.format(stem) for form in REGION_FORMS for stem in region_stems)
        self.presses = self.shuffled(f.format(word) for f in PRESS_FORMS for word in self.press_words(split))
        adjectives, nouns = share(ADJECTIVES, split), NOUNS
        self.works = self.shuffled(
            form.format(a=a, n=n, m=m)
            for form in WORK_FORMS
            for a in adjectives
            for n, m in zip(nouns, nouns[7:] + nouns[:7])
        )
        self.events = self.shuffled(f.format(a=a, n=n) for f in EVENT_FORMS for a in adjectives for n in EVENT_NOUNS)
        self.used: set[str] = set()

    def shuffled(self, names: Iterator[str] | list[str]) -> Iterator[str]:
        names = sorted(set(names))
        self.rng.shuffle(names)
        return iter(names)

    def press_words(self, split: str) -> list[str]:
        return share(PRESS_WORDS, split) + self.surnames + [stem + "en" for stem in self.stems]

    def person(self, surname: str | None = None) -> Entity:
        while True:
            kind = self.rng.choice(("she", "he"))
            first = self.rng.choice(self.women if kind == "she" else self.men)
            initial = f" {self.rng.choice(INITIALS)}." if self.rng.random() < 0.25 else ""
            name = f"{first}{initial} {surname or self.rng.choice(self.surnames)}"
            if name not in self.used:
                return self.take(Entity(name, "PER", kind))
            if surname is not None and self.rng.random() < 0.05:
                surname = None  # a large family: married under another name

    def town(self) -> Entity:
        return self.take(Entity(next(self.towns), "LOC", "town"))

    def region(self) -> Entity:
        return self.take(Entity(next(self.regions), "LOC", "region"))

    def firm(self) -> Entity:
        while True:
            if self.rng.random() < 0.75:
                first = self.rng.choice((*self.surnames, *(stem + "en" for stem in self.stems)))
                name = f"{first} {self.rng.choice(FIELDS)} {self.rng.choice(FIRM_FORMS)}"
            else:
                name = self.rng.choice(FIRM_FORMS_PLAIN).format(self.rng.choice(self.surnames))
            if name not in self.used:
                return self.take(Entity(name, "ORG", "firm", acronym_of(name, self.split)))

    def school(self) -> Entity:
        while True:
            place = self.rng.choice(self.stems) + self.rng.choice(ENDINGS)
            name = self.rng.choice(SCHOOL_FORMS).format(place)
            if name not in self.used:
                return self.take(Entity(name, "ORG", "college", acronym_of(name, self.split)))

    def press(self) -> Entity:
        return self.take(Entity(next(self.presses), "ORG", "publisher"))

    def work(self) -> Entity:
        return self.take(Entity(next(self.works), "WORK", "work"))

    def event(self) -> Entity:
        return self.take(Entity(next(self.events), "EVENT", "event"))

    def take(self, entity: Entity) -> Entity:
        self.used.add(entity.name)
        return entity
