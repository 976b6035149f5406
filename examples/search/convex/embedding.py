"""From a text to a vector, on this machine: by WordLlama where it is installed, else by the words alone.

WordLlama brings its small model with it (`pip install wordllama`), so nothing is downloaded. A vector depends
on nothing but the text: queries and mutations may compute it.
"""

import hashlib
import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any

DIMENSIONS = 256


def embed(text: str) -> list[float]:
    """The vector of a text, of length 1."""
    if MODEL is None:
        return _of_words(text)
    return [float(number) for number in MODEL.embed([text], norm=True)[0]]


def _model() -> Any:
    try:
        wordllama, inference, tokenizers, safetensors = (
            import_module(name) for name in ("wordllama", "wordllama.inference", "tokenizers", "safetensors")
        )
    except ImportError:
        return None
    folder = Path(str(wordllama.__file__)).parent
    with safetensors.safe_open(folder / "weights" / "l2_supercat_256.safetensors", framework="np") as file:
        weights = file.get_tensor("embedding.weight")
    tokenizer = tokenizers.Tokenizer.from_file(
        str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    return inference.WordLlamaInference(weights, tokenizer)


MODEL = _model()  # when the module is loaded, so that no query waits for it


def _of_words(text: str) -> list[float]:
    """Each word and each three letters of one count in a dimension of their own, more or less."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        for part in (word, *(word[at : at + 3] for at in range(len(word) - 2))):
            digest = hashlib.blake2b(part.encode(), digest_size=4).digest()
            vector[digest[0]] += 1.0 if digest[1] & 1 else -1.0
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]
