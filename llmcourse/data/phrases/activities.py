"""What people do: activities, skills and the order of a day."""

from dataclasses import dataclass

from llmcourse.data.phrases.moments import EVENINGS, EVERY_DAY, MORNINGS
from llmcourse.data.phrases.verbs import Verb


@dataclass(frozen=True, slots=True)
class Activity:
    """Hold something that a person does, with nothing left to fill in.

    Args:
        en, third, past, ing: English forms: watch, watches, watched and watching television.
        verb_zh, object_zh: Chinese verb and object, apart because a duration stands between them.
        verb: German verb.
        object: what stands before the German verb at the end: "Klavier".
        negated: the same when the sentence is negative: "nicht Klavier", "keine Musik".
        tags: "long" (for hours), "now" (in progress), "can" (a skill), "duty" (one has to do it), "walk", and places
            where it is done: "home", "park", "library", "café", "school".
    """

    en: str
    third: str
    past: str
    ing: str
    verb_zh: str
    object_zh: str
    verb: Verb
    object: str = ""
    negated: str = "nicht"
    tags: str = ""

    @property
    def zh(self) -> str:
        """Return verb and object together."""
        return self.verb_zh + self.object_zh

    @property
    def there_zh(self) -> str:
        """Return the same for a place that the sentence names, where 去 (go) has no place of its own."""
        return self.zh.removeprefix("去")


def _activity(
    forms: str, rest: str, zh: str, verb: Verb, tags: str = "", *, object: str = "", negated: str = "nicht"
) -> Activity:
    """Write one line of the lexicon: "do does did doing" and what follows, 看|书, and the German parts."""
    en, third, past, ing = (f"{form} {rest}".strip() for form in forms.split())
    verb_zh, object_zh = zh.split("|")
    return Activity(en, third, past, ing, verb_zh, object_zh, verb, object, negated, tags)


_ESSEN = Verb("essen", "esse isst isst", "gegessen")
_ARBEITEN = Verb("arbeiten", "arbeite arbeitest arbeitet", "gearbeitet")
_AUFRAEUMEN = Verb("räumen", "räume räumst räumt", "aufgeräumt", prefix="auf")
_AUFSTEHEN = Verb("stehen", "stehe stehst steht", "aufgestanden", "sein", "auf")
_EINKAUFEN = Verb("gehen", "gehe gehst geht", "einkaufen gegangen", "sein", "einkaufen")
_FAHREN = Verb("fahren", "fahre fährst fährt", "gefahren", "sein")
_FERNSEHEN = Verb("sehen", "sehe siehst sieht", "ferngesehen", prefix="fern")
_FOTOGRAFIEREN = Verb("fotografieren", "fotografiere fotografierst fotografiert", "fotografiert")
_FRUEHSTUECKEN = Verb("frühstücken", "frühstücke frühstückst frühstückt", "gefrühstückt")
_GEHEN = Verb("gehen", "gehe gehst geht", "gegangen", "sein")
_HOEREN = Verb("hören", "höre hörst hört", "gehört")
_KOCHEN = Verb("kochen", "koche kochst kocht", "gekocht")
_KOMMEN = Verb("kommen", "komme kommst kommt", "gekommen", "sein")
_LERNEN = Verb("lernen", "lerne lernst lernt", "gelernt")
_LESEN = Verb("lesen", "lese liest liest", "gelesen")
_PUTZEN = Verb("putzen", "putze putzt putzt", "geputzt")
_SCHWIMMEN = Verb("schwimmen", "schwimme schwimmst schwimmt", "geschwommen", "sein")
_SINGEN = Verb("singen", "singe singst singt", "gesungen")
_SPAZIEREN = Verb("gehen", "gehe gehst geht", "spazieren gegangen", "sein", "spazieren")
_SPIELEN = Verb("spielen", "spiele spielst spielt", "gespielt")
_SPRECHEN = Verb("sprechen", "spreche sprichst spricht", "gesprochen")
_SPUELEN = Verb("spülen", "spüle spülst spült", "gespült")
_TANZEN = Verb("tanzen", "tanze tanzt tanzt", "getanzt")
_TRINKEN = Verb("trinken", "trinke trinkst trinkt", "getrunken")

_DRINK, _GO, _LEARN = "drink drinks drank drinking", "go goes went going", "learn learns learned learning"
_HAVE, _PLAY, _SPEAK = "have has had having", "play plays played playing", "speak speaks spoke speaking"
# fmt: off
ACTIVITIES = (
    _activity("watch watches watched watching", "television", "看|电视", _FERNSEHEN, "long now home"),
    _activity("work works worked working", "", "工作|", _ARBEITEN, "long now home library duty"),
    _activity("cook cooks cooked cooking", "", "做|饭", _KOCHEN, "now can home duty"),
    _activity("swim swims swam swimming", "", "游|泳", _SCHWIMMEN, "long now can"),
    _activity("dance dances danced dancing", "", "跳|舞", _TANZEN, "long now can park home school"),
    _activity("sing sings sang singing", "", "唱|歌", _SINGEN, "long now can park home school"),
    _activity("read reads read reading", "", "看|书", _LESEN, "long now home park library café"),
    _activity("tidy tidies tidied tidying", "up", "收拾|房间", _AUFRAEUMEN, "now duty"),
    _activity("take takes took taking", "photos", "拍|照", _FOTOGRAFIEREN, "now park"),
    _activity(_GO, "for a walk", "去散步|", _SPAZIEREN, "park walk"),
    _activity(_GO, "shopping", "去购物|", _EINKAUFEN, "duty"),
    _activity(_PLAY, "football", "踢|足球", _SPIELEN, "long now can park school",
              object="Fußball", negated="nicht Fußball"),
    _activity(_PLAY, "tennis", "打|网球", _SPIELEN, "long now can park", object="Tennis", negated="nicht Tennis"),
    _activity(_PLAY, "chess", "下|象棋", _SPIELEN, "long now can park home café",
              object="Schach", negated="nicht Schach"),
    _activity(_PLAY, "the piano", "弹|钢琴", _SPIELEN, "long now can home school",
              object="Klavier", negated="nicht Klavier"),
    _activity(_LEARN, "English", "学|英语", _LERNEN, "long now home library café school duty",
              object="Englisch", negated="kein Englisch"),
    _activity(_LEARN, "Chinese", "学|汉语", _LERNEN, "long now home library café school duty",
              object="Chinesisch", negated="kein Chinesisch"),
    _activity(_DRINK, "tea", "喝|茶", _TRINKEN, "now home café", object="Tee", negated="keinen Tee"),
    _activity(_DRINK, "coffee", "喝|咖啡", _TRINKEN, "now home café", object="Kaffee", negated="keinen Kaffee"),
    _activity("listen listens listened listening", "to music", "听|音乐", _HOEREN, "long now home park",
              object="Musik", negated="keine Musik"),
    _activity("clean cleans cleaned cleaning", "the kitchen", "打扫|厨房", _PUTZEN, "now duty",
              object="die Küche", negated="die Küche nicht"),
    _activity("wash washes washed washing", "the dishes", "洗|碗", _SPUELEN, "now duty",
              object="das Geschirr", negated="das Geschirr nicht"),
)
# The last four are skills that nobody would report as yesterday's activity.
SKILLS = (
    *(activity for activity in ACTIVITIES if "can" in activity.tags),
    _activity("drive drives drove driving", "", "开|车", _FAHREN, object="Auto", negated="nicht Auto"),
    _activity("cycle cycles cycled cycling", "", "骑|自行车", _FAHREN, object="Fahrrad", negated="nicht Fahrrad"),
    _activity(_SPEAK, "English", "说|英语", _SPRECHEN, object="Englisch", negated="kein Englisch"),
    _activity(_SPEAK, "Chinese", "说|汉语", _SPRECHEN, object="Chinesisch", negated="kein Chinesisch"),
)
# The order of a day: the parts of days, and the first and the last hour of the clock.
DAILY = {
    _activity("get gets got getting", "up", "起|床", _AUFSTEHEN): (MORNINGS, 5.5, 9),
    _activity(_HAVE, "breakfast", "吃|早饭", _FRUEHSTUECKEN): (MORNINGS, 6, 9.5),
    _activity("leave leaves left leaving", "the house", "出|门", _GEHEN,
              object="aus dem Haus", negated="nicht aus dem Haus"): (MORNINGS, 6, 9.5),
    _activity(_HAVE, "lunch", "吃|午饭", _ESSEN, object="zu Mittag", negated="nicht zu Mittag"):
        ((EVERY_DAY,), 11.5, 12.9),
    _activity("come comes came coming", "home", "回|家", _KOMMEN, object="nach Hause", negated="nicht nach Hause"):
        (EVENINGS, 6, 9),
    _activity(_HAVE, "dinner", "吃|晚饭", _ESSEN, object="zu Abend", negated="nicht zu Abend"): (EVENINGS, 6, 9),
    _activity(_GO, "to bed", "睡|觉", _GEHEN, object="ins Bett", negated="nicht ins Bett"): (EVENINGS, 8, 11.5),
}
# fmt: on


def with_tag(tag: str) -> tuple[Activity, ...]:
    """Return the activities that carry a tag."""
    return tuple(activity for activity in ACTIVITIES if tag in activity.tags.split())
