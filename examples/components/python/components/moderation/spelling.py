import re

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def words_of(text: str, language: str) -> list[str]:
    """The words of a text, each once, as they are compared."""
    plain = text.lower().translate(_UMLAUTS) if language == "de" else text.lower()
    return list(dict.fromkeys(re.findall(r"\w+", plain)))
