"""Goods, places, cities, means of transport and the adjectives that fit them."""

from dataclasses import dataclass

from llmcourse.data.phrases import numbers
from llmcourse.data.phrases.german import ein_word


@dataclass(frozen=True, slots=True)
class Thing:
    """Hold a countable noun.

    Args:
        en, plural: English singular and plural.
        zh, measure: Chinese noun and the measure word that counts it.
        de, gender, de_plural: German noun, "m", "f" or "n", and plural.
        tags: groups: "clothes", "furniture", "food", "small" (lies on a table), "shop" (on a shelf), "kitchen",
            "vehicle", "machine", "pet"; "own" (somebody has it with good reason), "colour" (comes in colours), "women".
        prices: usual prices, from which sentences choose.
    """

    en: str
    plural: str
    zh: str
    measure: str
    de: str
    gender: str
    de_plural: str
    tags: str = ""
    prices: tuple[int, ...] = ()

    def counted_en(self, n: int) -> str:
        """Return "a book", "an apple" or "two books"."""
        if n == 1:
            return f"{'an' if self.en[0] in 'aeiou' else 'a'} {self.en}"
        return f"{numbers.english(n)} {self.plural}"

    def counted_zh(self, n: int) -> str:
        """Return 一本书 or 两本书."""
        return numbers.chinese_count(n) + self.measure + self.zh

    def counted_de(self, n: int, case: str) -> str:
        """Return "ein Buch", "einen Hut" or "zwei Bücher"."""
        if n == 1:
            return f"{ein_word('ein', self.gender, case)} {self.de}"
        return f"{numbers.german(n)} {self.de_plural}"


_CHEAP = (2, 3, 4, 5, 6, 8, 10, 12)
_USUAL = (8, 10, 12, 15, 16, 18, 20, 25, 30, 35, 40)
_DEAR = (20, 25, 30, 35, 40, 50, 60, 80, 90, 100)
_DEARER = (100, 200, 300, 400, 500, 600, 800, 900)
_DEAREST = (2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000)

THINGS = (
    Thing("book", "books", "书", "本", "Buch", "n", "Bücher", "small shop", _USUAL),
    Thing("dictionary", "dictionaries", "词典", "本", "Wörterbuch", "n", "Wörterbücher", "own small shop", _USUAL),
    Thing("newspaper", "newspapers", "报纸", "份", "Zeitung", "f", "Zeitungen", "own small", _CHEAP[:3]),
    Thing("pen", "pens", "笔", "支", "Stift", "m", "Stifte", "small shop", _CHEAP),
    Thing("key", "keys", "钥匙", "把", "Schlüssel", "m", "Schlüssel", "own small"),
    Thing("map", "maps", "地图", "张", "Landkarte", "f", "Landkarten", "own small shop", _CHEAP),
    Thing("shirt", "shirts", "衬衫", "件", "Hemd", "n", "Hemden", "clothes colour", _DEAR),
    Thing("jacket", "jackets", "夹克", "件", "Jacke", "f", "Jacken", "clothes colour", _DEAR),
    Thing("coat", "coats", "大衣", "件", "Mantel", "m", "Mäntel", "own clothes colour", _DEARER[:4]),
    Thing("sweater", "sweaters", "毛衣", "件", "Pullover", "m", "Pullover", "clothes colour", _DEAR),
    Thing("dress", "dresses", "连衣裙", "条", "Kleid", "n", "Kleider", "clothes colour women", _DEAR),
    Thing("skirt", "skirts", "裙子", "条", "Rock", "m", "Röcke", "clothes colour women", _DEAR),
    Thing("hat", "hats", "帽子", "顶", "Hut", "m", "Hüte", "own clothes colour", _DEAR),
    Thing("umbrella", "umbrellas", "雨伞", "把", "Regenschirm", "m", "Regenschirme", "own shop colour", _USUAL),
    Thing("bag", "bags", "包", "个", "Tasche", "f", "Taschen", "own shop colour", _DEAR),
    Thing("suitcase", "suitcases", "行李箱", "个", "Koffer", "m", "Koffer", "own shop colour", _DEAR),
    Thing("cup", "cups", "杯子", "个", "Tasse", "f", "Tassen", "small colour kitchen", _CHEAP),
    Thing("plate", "plates", "盘子", "个", "Teller", "m", "Teller", "small kitchen", _CHEAP),
    Thing("knife", "knives", "刀", "把", "Messer", "n", "Messer", "small kitchen", _USUAL),
    Thing("table", "tables", "桌子", "张", "Tisch", "m", "Tische", "furniture", _DEARER),
    Thing("chair", "chairs", "椅子", "把", "Stuhl", "m", "Stühle", "furniture", _DEAR),
    Thing("bed", "beds", "床", "张", "Bett", "n", "Betten", "furniture", _DEARER),
    Thing("lamp", "lamps", "灯", "盏", "Lampe", "f", "Lampen", "furniture", _DEAR),
    Thing("mirror", "mirrors", "镜子", "面", "Spiegel", "m", "Spiegel", "furniture", _DEAR),
    Thing("apple", "apples", "苹果", "个", "Apfel", "m", "Äpfel", "food small"),
    Thing("orange", "oranges", "橙子", "个", "Orange", "f", "Orangen", "food small"),
    Thing("lemon", "lemons", "柠檬", "个", "Zitrone", "f", "Zitronen", "food small"),
    Thing("banana", "bananas", "香蕉", "根", "Banane", "f", "Bananen", "food small"),
    Thing("tomato", "tomatoes", "西红柿", "个", "Tomate", "f", "Tomaten", "food small"),
    Thing("egg", "eggs", "鸡蛋", "个", "Ei", "n", "Eier", "food small"),
    Thing("bicycle", "bicycles", "自行车", "辆", "Fahrrad", "n", "Fahrräder", "vehicle colour", _DEARER),
    Thing("car", "cars", "汽车", "辆", "Auto", "n", "Autos", "vehicle colour", _DEAREST),
    Thing("computer", "computers", "电脑", "台", "Computer", "m", "Computer", "own machine", _DEARER),
    Thing("camera", "cameras", "照相机", "台", "Kamera", "f", "Kameras", "own machine", _DEARER),
    Thing("dog", "dogs", "狗", "只", "Hund", "m", "Hunde", "pet"),
    Thing("cat", "cats", "猫", "只", "Katze", "f", "Katzen", "pet"),
    Thing("horse", "horses", "马", "匹", "Pferd", "n", "Pferde", "pet"),
    Thing("bird", "birds", "鸟", "只", "Vogel", "m", "Vögel", "pet"),
)  # fmt: skip


def tagged(*tags: str) -> tuple[Thing, ...]:
    """Return the things that carry at least one of the tags, in the order of the lexicon."""
    return tuple(thing for thing in THINGS if any(tag in thing.tags.split() for tag in tags))


@dataclass(frozen=True, slots=True)
class Portion:
    """Hold an amount of food or drink that is counted by its container."""

    en: str
    plural: str
    zh: str
    measure: str
    de: str
    de_plural: str
    gender: str


def _portion(container: tuple[str, str, str, str, str, str], content: tuple[str, str, str]) -> Portion:
    en, plural, measure, de, de_plural, gender = container
    return Portion(
        en=f"{en} {content[0]}",
        plural=f"{plural} {content[0]}",
        zh=content[1],
        measure=measure,
        de=f"{de} {content[2]}",
        de_plural=f"{de_plural} {content[2]}",
        gender=gender,
    )


_TEA, _COFFEE = ("tea", "茶", "Tee"), ("coffee", "咖啡", "Kaffee")
_WATER, _MILK, _JUICE = ("water", "水", "Wasser"), ("milk", "牛奶", "Milch"), ("juice", "果汁", "Saft")
_CUP = ("cup of", "cups of", "杯", "Tasse", "Tassen", "f")
_GLASS = ("glass of", "glasses of", "杯", "Glas", "Gläser", "n")
_BOTTLE = ("bottle of", "bottles of", "瓶", "Flasche", "Flaschen", "f")
_BOWL = ("bowl of", "bowls of", "碗", "Schüssel", "Schüsseln", "f")
_PIECE = ("piece of", "pieces of", "块", "Stück", "Stück", "n")
PORTIONS = (
    *(_portion(_CUP, content) for content in (_TEA, _COFFEE)),
    *(_portion(_GLASS, content) for content in (_WATER, _MILK, _JUICE)),
    *(_portion(_BOTTLE, content) for content in (_WATER, _MILK, _JUICE)),
    *(_portion(_BOWL, content) for content in (("rice", "米饭", "Reis"), ("soup", "汤", "Suppe"))),
    *(_portion(_PIECE, content) for content in (("cake", "蛋糕", "Kuchen"), ("bread", "面包", "Brot"))),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Currency:
    """Hold a currency as it follows a number."""

    en: str
    zh: str
    de: str


CURRENCIES = (Currency("euros", "欧元", "Euro"), Currency("dollars", "美元", "Dollar"), Currency("yuan", "块", "Yuan"))
