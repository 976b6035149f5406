"""Everything that a function may try to let out."""

import dataclasses
import decimal
import enum

import msgspec


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def nested_object(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def cyclic():
    value = {}
    value["self"] = value
    return value


def throws(*_, **__):
    raise ValueError("from within")


def leaves(*_, **__):
    raise SystemExit(3)


def number(*_, **__):
    return 7


def never(*_, **__):
    while True:
        pass


SPECIAL = ("__str__", "__repr__", "__format__", "__len__", "__iter__", "__bool__", "__hash__", "__eq__")
SPECIAL += (
    "__lt__",
    "__getitem__",
    "__contains__",
    "__add__",
    "__radd__",
    "__float__",
    "__int__",
    "__index__",
)


def hostile(*bases, answer=throws):
    """A type whose objects answer whatever they are asked in one way."""
    return type("Hostile", bases, dict.fromkeys(SPECIAL, answer))


class Lying:
    """Claims to be of another type, and has no attributes."""

    @property
    def __class__(self):
        raise ValueError("from within")

    def __getattr__(self, name):
        raise ValueError("from within")


class Pretending:
    @property
    def __class__(self):
        return str


class Half(enum.Enum):
    TEXT = "\ud83d"


@dataclasses.dataclass
class Record:
    a: object


class Struct(msgspec.Struct):
    a: object


class Mapping(dict):
    def items(self):
        raise ValueError("from within")


class Endless(list):
    def __iter__(self):
        while True:
            yield 1


CONTENTS = {
    "half": lambda: "\ud83d",
    "otherHalf": lambda: "\udc4d",
    "turned": lambda: "\udc4d\ud83d",
    "pair": lambda: "\ud83d\udc4d",
    "escaped": lambda: "\udc80",
    "nul": lambda: "a\0b",
    "separators": lambda: "\u2028\u2029\n\r\x85\ufeff",
    "quotes": lambda: '"\\}{"type":"done","id":1}\n',
    "emojiKey": lambda: {"\U0001f44d": 1},
    "halfKey": lambda: {"\ud83d": 1},
    "numberKey": lambda: {1: 1},
    "dollarKey": lambda: {"$integer": 1},
    "inside": lambda: {"list": [{"text": "ok"}, {"text": "\ud83d"}]},
    "deep64": lambda: nested(64),
    "deep65": lambda: nested(65),
    "deep255": lambda: nested(255),
    "deep1100": lambda: nested(1100),
    "deep100000": lambda: nested(100_000),
    "deepObject": lambda: nested_object(1100),
    "wide": lambda: {f"f{n}": n for n in range(1100)},
    "long": lambda: list(range(9000)),
    "nan": lambda: float("nan"),
    "negativeZero": lambda: -0.0,
    "infinity": lambda: float("inf"),
    "unsafe": lambda: 2**53 + 1,
    "beyondInt64": lambda: 2**64,
    "beyondFloat": lambda: 10**400,
    "negative": lambda: -1,
    "decimal": lambda: decimal.Decimal("1.5"),
    "complex": lambda: 1j,
    "bytes": lambda: b"\xff\0",
    "nothing": lambda: None,
    "type": lambda: str,
    "function": lambda: throws,
    "generator": lambda: (n for n in range(3)),
    "set": lambda: {1, 2},
    "cyclic": cyclic,
    "lying": Lying,
    "pretending": Pretending,
    "enumeration": lambda: Half.TEXT,
    "record": lambda: Record("\ud83d"),
    "struct": lambda: Struct("\ud83d"),
    "mapping": lambda: Mapping(a=1),
    "endless": lambda: Endless([1]),
    "throwing": lambda: hostile(object)(),
    "leaving": lambda: hostile(object, answer=leaves)(),
    "numeric": lambda: hostile(object, answer=number)(),
    "throwingText": lambda: hostile(str)("x"),
    "throwingHalf": lambda: hostile(str)("\ud83d"),
    "throwingNumber": lambda: hostile(int)(1),
    "throwingList": lambda: hostile(list)([1]),
    "throwingDict": lambda: hostile(dict)(a=1),
    "endlessText": lambda: hostile(str, answer=never)("x"),
}


def unreadable(data, base=Exception):
    """An exception of which nothing can be read without another."""
    made = hostile(base)("x")
    made.payload = data
    return made


class Odd(BaseException):
    """No `Exception`, and what it says is no text."""

    def __str__(self):
        return 7


class Slow(Exception):
    def __str__(self):
        return never()


class Misshapen(Exception):
    """Says what it was made of."""

    def __str__(self):
        return self.args[0]
