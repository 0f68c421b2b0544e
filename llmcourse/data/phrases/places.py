"""Cities, vehicles, buildings and where they stand."""

import math
from dataclasses import dataclass

from llmcourse.data.phrases.german import DEFINITE, in_the


@dataclass(frozen=True, slots=True)
class City:
    """Hold a city, its latitude and longitude in degrees, and whether one goes there by train, bus and car."""

    en: str
    zh: str
    de: str
    latitude: float
    longitude: float
    europe: bool = True


CITIES = (
    City("Berlin", "柏林", "Berlin", 52.5, 13.4),
    City("Hamburg", "汉堡", "Hamburg", 53.6, 10.0),
    City("Munich", "慕尼黑", "München", 48.1, 11.6),
    City("Cologne", "科隆", "Köln", 50.9, 7.0),
    City("Vienna", "维也纳", "Wien", 48.2, 16.4),
    City("Zurich", "苏黎世", "Zürich", 47.4, 8.5),
    City("Paris", "巴黎", "Paris", 48.9, 2.4),
    City("London", "伦敦", "London", 51.5, -0.1),
    City("Rome", "罗马", "Rom", 41.9, 12.5),
    City("Prague", "布拉格", "Prag", 50.1, 14.4),
    City("Madrid", "马德里", "Madrid", 40.4, -3.7),
    City("Beijing", "北京", "Peking", 39.9, 116.4, False),
    City("Shanghai", "上海", "Shanghai", 31.2, 121.5, False),
    City("Tokyo", "东京", "Tokio", 35.7, 139.7, False),
)
EUROPE = tuple(city for city in CITIES if city.europe)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """Hold a means of transport.

    Args:
        en, zh, de, gender: the noun.
        ride_zh: to go by it, such as 坐火车.
        leave_zh: the verb of its departure.
        leave_de: finite verb of its departure; the prefix ab follows at the end.
        infinitive, participle: the German verb of going by it; the perfect takes sein.
        speed: usual speed of a journey in kilometres per hour.
    """

    en: str
    zh: str
    de: str
    gender: str
    ride_zh: str
    leave_zh: str = "开"
    leave_de: str = "fährt"
    infinitive: str = "fahren"
    participle: str = "gefahren"
    speed: float = 100


TRAIN = Vehicle("train", "火车", "Zug", "m", "坐火车")
BUS = Vehicle("bus", "公共汽车", "Bus", "m", "坐公共汽车", speed=75)
CAR = Vehicle("car", "汽车", "Auto", "n", "开车", speed=90)
PLANE = Vehicle("plane", "飞机", "Flugzeug", "n", "坐飞机", "起飞", "fliegt", "fliegen", "geflogen", 700)
PUBLIC = (TRAIN, BUS, PLANE)
VEHICLES = (*PUBLIC, CAR)


def usual_hours(start: City, end: City, vehicle: Vehicle) -> float:
    """Return about how long the journey takes: the straight line and a quarter, at the vehicle's usual speed."""
    mean = math.radians((start.latitude + end.latitude) / 2)
    north = start.latitude - end.latitude
    east = (start.longitude - end.longitude) * math.cos(mean)
    return 111 * math.hypot(north, east) * 1.25 / vehicle.speed


def reachable(vehicle: Vehicle, city: City) -> bool:
    """Tell whether one goes there so: across an ocean only by plane."""
    return vehicle is PLANE or city.europe


@dataclass(frozen=True, slots=True)
class Place:
    """Hold a place in a town with its Chinese measure word; `opens` tells whether it has opening hours."""

    en: str
    zh: str
    measure: str
    de: str
    gender: str
    opens: bool = True
    genitive_de: str = ""

    def definite(self, case: str) -> str:
        """Return the noun with its German article: der Bank, des Museums."""
        noun = self.de
        if case == "gen" and self.gender != "f":
            noun = self.genitive_de or self.de + "s"
        return f"{DEFINITE[case][self.gender]} {noun}"

    @property
    def inside_de(self) -> str:
        """Return where somebody is: im Park, in der Bibliothek."""
        return f"{in_the(self.gender)} {self.de}"


PARK = Place("park", "公园", "个", "Park", "m", False)
LIBRARY = Place("library", "图书馆", "个", "Bibliothek", "f")
CAFE = Place("café", "咖啡馆", "家", "Café", "n")
SCHOOL = Place("school", "学校", "所", "Schule", "f", False)
STATION = Place("station", "火车站", "个", "Bahnhof", "m", False)
PLACES = (
    STATION,
    PARK,
    LIBRARY,
    CAFE,
    SCHOOL,
    Place("bank", "银行", "家", "Bank", "f"),
    Place("hotel", "酒店", "家", "Hotel", "n", False),
    Place("post office", "邮局", "个", "Post", "f"),
    Place("supermarket", "超市", "家", "Supermarkt", "m"),
    Place("museum", "博物馆", "个", "Museum", "n"),
    Place("restaurant", "餐厅", "家", "Restaurant", "n"),
    Place("hospital", "医院", "家", "Krankenhaus", "n", False, "Krankenhauses"),
    Place("pharmacy", "药店", "家", "Apotheke", "f"),
    Place("church", "教堂", "座", "Kirche", "f", False),
    Place("cinema", "电影院", "家", "Kino", "n", False),
    Place("theatre", "剧院", "家", "Theater", "n", False),
    Place("university", "大学", "所", "Universität", "f", False),
    Place("bakery", "面包店", "家", "Bäckerei", "f"),
    Place("bookshop", "书店", "家", "Buchhandlung", "f"),
    Place("swimming pool", "游泳池", "个", "Schwimmbad", "n", True, "Schwimmbads"),
)
OPENING = tuple(place for place in PLACES if place.opens)


@dataclass(frozen=True, slots=True)
class Position:
    """Hold where one place is seen from another; in German each takes the dative."""

    en: str
    zh: str
    de: str


POSITIONS = (
    Position("next to", "旁边", "neben"),
    Position("opposite", "对面", "gegenüber"),
    Position("behind", "后面", "hinter"),
    Position("in front of", "前面", "vor"),
)
