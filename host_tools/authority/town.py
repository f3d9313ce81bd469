"""A small invented town. Nobody in it exists; the same seed gives the same people.

Besides people with codes in every state there are tricks (an old screenshot, a forged code …), so that all a
handheld must withstand can be tried with one click.
"""

from __future__ import annotations

import enum
import hashlib
import random
from dataclasses import dataclass, field

HOUR_S = 3_600
DAY_S = 86_400
GREEN, YELLOW, ORANGE, RED = range(4)
NEGATIVE, POSITIVE, PENDING = range(3)
SEED = 20200522
#: A paper that somebody of the town holds up was printed this long ago.
PRINTED_AGE_S = 3 * DAY_S

FAMILY_NAMES = "陈林黄张李吴王刘郑杨赖谢邱罗温廖卢范游曾"
GIVEN_NAMES = "建国志强秀英丽华文斌晓燕海涛雪梅伟明桂兰子涵欣怡永福春生美玲"


class Medium(enum.IntEnum):
    """What a code is shown on, as in the code itself."""

    LIVE = 0
    PAPER = 1


class Trick(enum.Enum):
    """What is wrong with what a person shows."""

    NONE = "none"
    SCREENSHOT = "screenshot"
    YESTERDAY = "yesterday"
    FORGED = "forged"
    NEIGHBOUR = "neighbour"
    EU = "eu"
    POSTER = "poster"


@dataclass(frozen=True)
class Test:
    """A laboratory result: `result`, taken `age_s` before now, or at `taken_unix` where that is known."""

    result: int
    age_s: int
    taken_unix: int | None = None

    def taken(self, now_unix: int) -> int:
        """When the sample was taken, seen from `now_unix`."""
        return now_unix - self.age_s if self.taken_unix is None else self.taken_unix


@dataclass(frozen=True)
class Person:
    """Someone with a code and what the authority knows. `companions` travel on this person's code.

    Of the invented town, times count back from now and papers are some days old (`paper_age_s`); of people
    who were registered, times are times (`arrival_unix`, `Test.taken_unix`) and papers are new.
    """

    id: str
    note_zh: str
    note_en: str
    colour: int = GREEN
    test: Test | None = None
    igg: Test | None = None
    groups: tuple[int, ...] = ()
    arrival: tuple[str, int] | None = None
    media: tuple[Medium, ...] = (Medium.LIVE, Medium.PAPER)
    trick: Trick = Trick.NONE
    companions: tuple[Person, ...] = ()
    name: str = ""
    sub: bytes = b""
    id_tail: str = ""
    arrival_unix: int | None = None
    paper_age_s: int = PRINTED_AGE_S


@dataclass(frozen=True)
class Town:
    """All people, in the order of the page."""

    people: tuple[Person, ...]
    by_id: dict[str, Person] = field(default_factory=dict)

    def find(self, person_id: str) -> Person | None:
        """The person with this id, None where there is none."""
        return self.by_id.get(person_id)


_TESTED = Test(NEGATIVE, 2 * DAY_S)
_PHONE = (Medium.LIVE,)
_PAPER = (Medium.PAPER,)
#: The people without names; `build` gives them names, pseudonyms and ID numbers' tails.
CAST = (
    Person("teacher", "教师，两天前核酸阴性", "teacher, tested two days ago", test=_TESTED, groups=(6,)),
    Person("shopper", "普通市民，未检测", "citizen, never tested"),
    Person("nurse", "护士，昨日核酸阴性", "nurse, tested yesterday", test=Test(NEGATIVE, DAY_S), groups=(5,)),
    Person(
        "mother",
        "母亲，带外婆和孩子同行",
        "mother with grandmother and child on her phone",
        test=_TESTED,
        media=_PHONE,
        companions=(
            Person("grandmother", "外婆", "grandmother", test=Test(NEGATIVE, 5 * DAY_S)),
            Person("child", "孩子", "child"),
        ),
    ),
    Person("grandfather", "无手机老人，纸质码", "old man, no phone: on paper", test=_TESTED, media=_PAPER),
    Person("orange", "橙码，居家观察", "orange code: home observation", ORANGE, media=_PHONE),
    Person("yellow", "黄码", "yellow code", YELLOW, media=_PHONE),
    Person("red", "红码", "red code", RED, media=_PHONE),
    Person("positive", "绿码，今日核酸阳性", "green, tested positive today", test=Test(POSITIVE, 6 * HOUR_S)),
    Person("pending", "绿码，核酸结果未出", "green, result pending", test=Test(PENDING, 3 * HOUR_S)),
    Person(
        "returned",
        "重点地区来岩，抵达前已检测",
        "from a key region, tested before arrival",
        test=Test(NEGATIVE, 4 * DAY_S),
        arrival=("CN-HL", 3 * DAY_S),
    ),
    Person(
        "arrival", "重点地区来岩，未检测", "from a key region, untested", arrival=("CN-HL", 20 * HOUR_S)
    ),
    Person(
        "screenshot", "出示20分钟前的截图", "shows a screenshot 20 minutes old",
        test=_TESTED, media=_PHONE, trick=Trick.SCREENSHOT,
    ),
    Person(
        "yesterday", "出示昨天的码", "shows yesterday's code",
        test=_TESTED, media=_PHONE, trick=Trick.YESTERDAY,
    ),
    Person(
        "forger", "把橙码改成绿码", "turned an orange code green", ORANGE, media=_PHONE, trick=Trick.FORGED
    ),
    Person(
        "neighbour", "外省码，签发机构未知", "code of a province that is not trusted here",
        test=_TESTED, media=_PHONE, trick=Trick.NEIGHBOUR,
    ),
    Person("visitor", "持欧盟数字证书", "holds an EU certificate", media=_PAPER, trick=Trick.EU),
    Person("poster", "商店海报二维码", "a shop's poster, no health code", media=_PAPER, trick=Trick.POSTER),
)  # fmt: skip


def build(seed: int = SEED) -> Town:
    """The town that belongs to `seed`."""
    dice = random.Random(seed)  # noqa: S311 - invented names, no secret
    people = tuple(_invent(person, seed, dice) for person in CAST)
    return Town(people, {person.id: person for person in people})


def _invent(person: Person, seed: int, dice: random.Random) -> Person:
    """Give a person a masked name, a pseudonym and the tail of an ID number."""
    middle = "*" if dice.random() < 0.8 else ""
    name = dice.choice(FAMILY_NAMES) + (middle + dice.choice(GIVEN_NAMES) if middle else "*")
    tail = f"{dice.randrange(1000):03d}{dice.choice('0123456789X')}"
    return Person(
        **{
            **vars(person),
            "name": name,
            "sub": hashlib.sha256(f"yima town {seed} {person.id}".encode()).digest()[:16],
            "id_tail": tail,
            "companions": tuple(_invent(companion, seed, dice) for companion in person.companions),
        }
    )
