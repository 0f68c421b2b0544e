"""Templates about the time of day: departures, opening hours and the order of a day."""

from llmcourse.data.phrases.activities import DAILY, Activity
from llmcourse.data.phrases.german import words
from llmcourse.data.phrases.grammar_activities import do_does
from llmcourse.data.phrases.moments import EVENINGS, EVERY_DAY, MORNINGS, WEEKDAYS, Moment
from llmcourse.data.phrases.numbers import CLOCKS, Clock, between
from llmcourse.data.phrases.people import ASKED, PEOPLE, PRONOUNS, Person
from llmcourse.data.phrases.places import CITIES, OPENING, PUBLIC, City, Place, Vehicle, reachable
from llmcourse.data.phrases.template import Lines, question, statement, template

_DAILY = tuple(
    (activity, clock, day)
    for activity, (days, first, last) in DAILY.items()
    for clock in between(first, last)
    for day in days
)
_ROUTES = tuple((vehicle, city) for vehicle in PUBLIC for city in CITIES if reachable(vehicle, city))
_MORNING, _EVENING = between(6, 10), between(6, 9.5)
_DOORS = (
    *(("open", clock, day) for clock in _MORNING for day in MORNINGS),
    *(("close", clock, day) for clock in _EVENING for day in EVENINGS),
)


@template(_ROUTES, CLOCKS, bond=(1, 2), count=950)
def departure(route: tuple[Vehicle, City], clock: Clock) -> Lines:
    """The train to Berlin leaves at half past two."""
    vehicle, city = route
    return statement(
        f"the {vehicle.en} to {city.en} leaves at {clock.en}",
        f"去{city.zh}的{vehicle.zh}{clock.zh}{vehicle.leave_zh}",
        words(_the(vehicle), "nach", city.de, vehicle.leave_de, "um", clock.de, "ab"),
    )


@template(_ROUTES, CLOCKS, bond=(1, 2), count=950)
def arrival(route: tuple[Vehicle, City], clock: Clock) -> Lines:
    """The plane from Beijing arrives at ten past one."""
    vehicle, city = route
    return statement(
        f"the {vehicle.en} from {city.en} arrives at {clock.en}",
        f"从{city.zh}来的{vehicle.zh}{clock.zh}到",
        words(_the(vehicle), "aus", city.de, "kommt um", clock.de, "an"),
    )


@template(_ROUTES, WEEKDAYS, ("leave", "arrive"), bond=(1, 2), count=500)
def departure_question(route: tuple[Vehicle, City], day: Moment, verb: str) -> Lines:
    """What time does the train to Berlin leave on Monday?"""
    vehicle, city = route
    if verb == "arrive":
        return question(
            f"what time does the {vehicle.en} from {city.en} arrive {day.en}",
            f"从{city.zh}来的{vehicle.zh}{day.zh}几点到",
            words("um wie viel Uhr kommt", _the(vehicle), "aus", city.de, day.de, "an"),
        )
    return question(
        f"what time does the {vehicle.en} to {city.en} leave {day.en}",
        f"去{city.zh}的{vehicle.zh}{day.zh}几点{vehicle.leave_zh}",
        words("um wie viel Uhr", vehicle.leave_de, _the(vehicle), "nach", city.de, day.de, "ab"),
    )


def _the(vehicle: Vehicle) -> str:
    return f"{'der' if vehicle.gender == 'm' else 'das'} {vehicle.de}"


@template(OPENING, _MORNING, _EVENING, bond=(0, 1), count=900)
def opening_hours(place: Place, opens: Clock, closes: Clock) -> Lines:
    """The bank opens at nine o'clock and closes at half past five."""
    return statement(
        f"the {place.en} opens at {opens.en} and closes at {closes.en}",
        f"{place.zh}{opens.zh}开门，{closes.zh}关门",
        words(place.definite("nom"), "macht um", opens.de, "auf und um", closes.de, "zu"),
    )


@template(OPENING, _DOORS, bond=(0, 2), count=900)
def opening_day(place: Place, door: tuple[str, Clock, Moment]) -> Lines:
    """The library closes at quarter to seven on Friday evening."""
    verb, clock, day = door
    opens = verb == "open"
    return statement(
        f"the {place.en} {verb}s at {clock.en} {day.en}",
        f"{place.zh}{day.zh}{clock.zh}{'开门' if opens else '关门'}",
        words(place.definite("nom"), "macht", day.de, "um", clock.de, "auf" if opens else "zu"),
    )


@template(OPENING, (EVERY_DAY, *WEEKDAYS), ("open", "close"), bond=(0, 1), count=160)
def opening_question(place: Place, day: Moment, verb: str) -> Lines:
    """What time does the museum open on Sunday?"""
    return question(
        f"what time does the {place.en} {verb} {day.en}",
        f"{place.zh}{day.zh}几点{'开门' if verb == 'open' else '关门'}",
        words("um wie viel Uhr macht", place.definite("nom"), day.de, "auf" if verb == "open" else "zu"),
    )


@template((*PEOPLE, *PRONOUNS[:2] * 5), _DAILY, bond=(0, 1), count=1400)
def daily(person: Person, event: tuple[Activity, Clock, Moment]) -> Lines:
    """My mother gets up at half past six every morning."""
    activity, clock, day = event
    verb = activity.verb
    return statement(
        f"{person.en} {activity.third if person.third else activity.en} at {clock.en} {day.en}",
        f"{person.zh}{day.zh}{clock.zh}{activity.zh}",
        words(person.nominative, verb.present[person.form], day.de, "um", clock.de, activity.object, verb.prefix),
    )


@template(ASKED, tuple(DAILY), (EVERY_DAY, *WEEKDAYS), bond=(0, 1), count=800)
def daily_question(person: Person, activity: Activity, day: Moment) -> Lines:
    """What time do you get up on Sunday?"""
    verb = activity.verb
    return question(
        f"what time {do_does(person)} {person.en} {activity.en} {day.en}",
        f"{person.zh}{day.zh}几点{activity.zh}",
        words("um wie viel Uhr", verb.present[person.form], person.nominative, day.de, activity.object, verb.prefix),
    )
