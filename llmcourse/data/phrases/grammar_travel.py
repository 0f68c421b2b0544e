"""Templates about travel and the town: journeys, tickets and where to find a place."""

from llmcourse.data.phrases import numbers
from llmcourse.data.phrases.german import DEFINITE, SEIN, WERDEN, ein_word, words
from llmcourse.data.phrases.moments import FUTURE, PAST, Moment
from llmcourse.data.phrases.numbers import DURATIONS, Duration
from llmcourse.data.phrases.people import ASKED, PEOPLE, Person
from llmcourse.data.phrases.places import (
    BUS,
    CAR,
    CITIES,
    EUROPE,
    PLACES,
    POSITIONS,
    TRAIN,
    VEHICLES,
    City,
    Place,
    Position,
    Vehicle,
    reachable,
    usual_hours,
)
from llmcourse.data.phrases.template import Lines, question, statement, template
from llmcourse.data.phrases.things import CURRENCIES, Currency

_TRIPS = tuple((vehicle, city) for vehicle in VEHICLES for city in CITIES if reachable(vehicle, city))
_FARES = (20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 600, 700, 800, 900)


def _by(vehicle: Vehicle) -> str:
    return f"mit {DEFINITE['dat'][vehicle.gender]} {vehicle.de}"


@template(PEOPLE, ("did", "did not"), _TRIPS, PAST, bond=(0, 3), count=1050)
def trip(person: Person, mode: str, trip: tuple[Vehicle, City], when: Moment) -> Lines:
    """My father went to Berlin by train yesterday."""
    vehicle, city = trip
    negative = mode == "did not"
    return statement(
        f"{person.en} {'did not go' if negative else 'went'} to {city.en} by {vehicle.en} {when.en}",
        f"{person.zh}{when.zh}{'没' if negative else ''}{vehicle.ride_zh}去{'' if negative else '了'}{city.zh}",
        words(
            person.nominative,
            SEIN[person.form],
            when.de,
            "nicht" if negative else "",
            _by(vehicle),
            "nach",
            city.de,
            vehicle.participle,
        ),
    )


@template(PEOPLE, ("will", "will not"), _TRIPS, FUTURE, bond=(0, 3), count=1050)
def trip_future(person: Person, mode: str, trip: tuple[Vehicle, City], when: Moment) -> Lines:
    """We will go to Beijing by plane next week."""
    vehicle, city = trip
    negative = mode == "will not"
    return statement(
        f"{person.en} {mode} go to {city.en} by {vehicle.en} {when.en}",
        f"{person.zh}{when.zh}{'不' if negative else ''}会{vehicle.ride_zh}去{city.zh}",
        words(
            person.nominative,
            WERDEN[person.form],
            when.de,
            "nicht" if negative else "",
            _by(vehicle),
            "nach",
            city.de,
            vehicle.infinitive,
        ),
    )


@template(ASKED, _TRIPS, FUTURE, bond=(0, 2))
def trip_question(person: Person, trip: tuple[Vehicle, City], when: Moment) -> Lines:
    """Will your parents go to Vienna by bus on Friday?"""
    vehicle, city = trip
    return question(
        f"will {person.en} go to {city.en} by {vehicle.en} {when.en}",
        f"{person.zh}{when.zh}会{vehicle.ride_zh}去{city.zh}吗",
        words(WERDEN[person.form], person.nominative, when.de, _by(vehicle), "nach", city.de, vehicle.infinitive),
    )


@template(EUROPE, EUROPE, (TRAIN, BUS, CAR), DURATIONS, bond=(0, 1))
def journey(start: City, end: City, vehicle: Vehicle, time: Duration) -> Lines | None:
    """The journey from Berlin to Vienna takes eight hours by train."""
    if start is end or not 0.7 <= time.hours / usual_hours(start, end, vehicle) <= 1.4:
        return None
    return statement(
        f"the journey from {start.en} to {end.en} takes {time.en} by {vehicle.en}",
        f"从{start.zh}到{end.zh}{vehicle.ride_zh}要{time.zh}",
        words("die Fahrt von", start.de, "nach", end.de, "dauert", _by(vehicle), time.de),
    )


@template(EUROPE, EUROPE, (TRAIN, BUS, CAR), bond=(0, 1), count=330)
def journey_question(start: City, end: City, vehicle: Vehicle) -> Lines | None:
    """How long does the journey from Berlin to Vienna take by train?"""
    if start is end:
        return None
    return question(
        f"how long does the journey from {start.en} to {end.en} take by {vehicle.en}",
        f"从{start.zh}到{end.zh}{vehicle.ride_zh}要多长时间",
        words("wie lange dauert die Fahrt von", start.de, "nach", end.de, _by(vehicle)),
    )


@template((1, 2, 3, 4, 5, 6), CITIES, _FARES, CURRENCIES, bond=(0, 1))
def ticket(n: int, city: City, fare: int, currency: Currency) -> Lines | None:
    """Two tickets to Berlin cost eighty euros."""
    if fare < n * (20 if city.europe and currency.en != "yuan" else 100) or fare > 200 * n:
        return None
    return statement(
        f"{'a ticket' if n == 1 else numbers.english(n) + ' tickets'} to {city.en} "
        f"cost{'s' if n == 1 else ''} {numbers.english(fare)} {currency.en}",
        f"{numbers.chinese_count(n)}张去{city.zh}的票要{numbers.chinese_count(fare)}{currency.zh}",
        words(
            "eine Fahrkarte" if n == 1 else f"{numbers.german(n)} Fahrkarten",
            "nach",
            city.de,
            "kostet" if n == 1 else "kosten",
            numbers.german(fare),
            currency.de,
        ),
    )


@template(PLACES, PLACES, ("is", "is not", "ask"), bond=(0, 1))
def near(wanted: Place, known: Place, mode: str) -> Lines | None:
    """There is a bank near the station. There is no bank near the station. Is there a bank near the station?"""
    if wanted is known:
        return None
    article = "an" if wanted.en[0] in "aeio" else "a"
    there = f"in der Nähe {known.definite('gen')}"
    thing = f"{ein_word('kein' if mode == 'is not' else 'ein', wanted.gender, 'acc')} {wanted.de}"
    if mode == "ask":
        return question(
            f"is there {article} {wanted.en} near the {known.en}",
            f"{known.zh}附近有{wanted.zh}吗",
            words("gibt es", there, thing),
        )
    negative = mode == "is not"
    return statement(
        f"there is {'no' if negative else article} {wanted.en} near the {known.en}",
        f"{known.zh}附近{'没有' if negative else f'有一{wanted.measure}'}{wanted.zh}",
        words(there, "gibt es", thing),
    )


@template(PLACES, ("is", "is not", "ask"), POSITIONS, PLACES, bond=(0, 3), count=1100)
def position(wanted: Place, mode: str, position: Position, known: Place) -> Lines | None:
    """The bank is next to the hotel. Is the bank behind the museum?"""
    if wanted is known:
        return None
    here, there = wanted.definite("nom"), f"{position.de} {known.definite('dat')}"
    if mode == "ask":
        return question(
            f"is the {wanted.en} {position.en} the {known.en}",
            f"{wanted.zh}在{known.zh}{position.zh}吗",
            words("ist", here, there),
        )
    negative = mode == "is not"
    return statement(
        f"the {wanted.en} {mode} {position.en} the {known.en}",
        f"{wanted.zh}{'不在' if negative else '在'}{known.zh}{position.zh}",
        words(here, "ist nicht" if negative else "ist", there),
    )
