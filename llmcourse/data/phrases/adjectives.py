"""Adjectives for things, people, moods and the weather."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """Hold an adjective.

    Args:
        en, comparative: English, such as "cheap" and "cheaper".
        zh: Chinese; comparisons with 比 use it as it is.
        de, de_comparative: German, without endings.
        attribute_zh: how it stands before a Chinese noun, such as 红色的.
        fits: tags of the things that it may describe.
    """

    en: str
    comparative: str
    zh: str
    de: str
    de_comparative: str
    attribute_zh: str = ""
    fits: str = ""


COLOURS = (
    Quality("red", "", "红色", "rot", "", "红色的"),
    Quality("blue", "", "蓝色", "blau", "", "蓝色的"),
    Quality("green", "", "绿色", "grün", "", "绿色的"),
    Quality("yellow", "", "黄色", "gelb", "", "黄色的"),
    Quality("black", "", "黑色", "schwarz", "", "黑色的"),
    Quality("white", "", "白色", "weiß", "", "白色的"),
    Quality("brown", "", "棕色", "braun", "", "棕色的"),
    Quality("grey", "", "灰色", "grau", "", "灰色的"),
)
KINDS = (
    Quality("new", "newer", "新", "neu", "neuer", "新", "clothes furniture vehicle machine shop"),
    Quality("big", "bigger", "大", "groß", "größer", "大", "furniture bags"),
    Quality("small", "smaller", "小", "klein", "kleiner", "小", "furniture bags"),
    Quality("old", "older", "旧", "alt", "älter", "旧", "furniture vehicle books"),
)
JUDGEMENTS = (
    Quality("cheap", "cheaper", "便宜", "billig", "billiger"),
    Quality("expensive", "more expensive", "贵", "teuer", "teurer"),
    Quality("small", "smaller", "小", "klein", "kleiner"),
    Quality("big", "bigger", "大", "groß", "größer"),
    Quality("beautiful", "more beautiful", "漂亮", "schön", "schöner"),
    Quality("heavy", "heavier", "重", "schwer", "schwerer"),
)
CHARACTERS = (
    Quality("tall", "taller", "高", "groß", "größer"),
    Quality("clever", "cleverer", "聪明", "klug", "klüger"),
    Quality("friendly", "friendlier", "友好", "freundlich", "freundlicher"),
    Quality("quiet", "quieter", "安静", "ruhig", "ruhiger"),
    Quality("polite", "more polite", "有礼貌", "höflich", "höflicher"),
    Quality("patient", "more patient", "有耐心", "geduldig", "geduldiger"),
    Quality("strong", "stronger", "强壮", "stark", "stärker"),
    Quality("thin", "thinner", "瘦", "dünn", "dünner"),
)
MOODS = (
    Quality("tired", "", "累", "müde", ""),
    Quality("busy", "", "忙", "beschäftigt", ""),
    Quality("happy", "", "高兴", "froh", ""),
    Quality("sad", "", "难过", "traurig", ""),
    Quality("nervous", "", "紧张", "nervös", ""),
    Quality("hungry", "", "饿", "hungrig", ""),
    Quality("thirsty", "", "渴", "durstig", ""),
    Quality("worried", "", "担心", "besorgt", ""),
)
CLIMATES = (
    Quality("cold", "colder", "冷", "kalt", "kälter"),
    Quality("warm", "warmer", "暖和", "warm", "wärmer"),
    Quality("hot", "hotter", "热", "heiß", "heißer"),
    Quality("cool", "cooler", "凉快", "kühl", "kühler"),
    Quality("dry", "drier", "干燥", "trocken", "trockener"),
    Quality("humid", "more humid", "潮湿", "feucht", "feuchter"),
)


@dataclass(frozen=True, slots=True)
class Precipitation:
    """Hold a verb of the weather: rain and snow."""

    en: str
    zh: str
    infinitive: str
    present: str
    participle: str


PRECIPITATION = (
    Precipitation("rain", "下雨", "regnen", "regnet", "geregnet"),
    Precipitation("snow", "下雪", "schneien", "schneit", "geschneit"),
)
