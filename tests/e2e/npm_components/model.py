"""A model that answers on the loopback as OpenAI's API does: it says what it was asked, and knows words.

Texts that have words in common have vectors that are near each other.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from e2e.npm_components.internet import Answer, Asked

DIMENSIONS = 128


def vector(text: str) -> list[float]:
    """A direction for each word, and the sum of those of a text, of length one."""
    found = [0.0] * DIMENSIONS
    for word in re.findall(r"[a-z]+", text.lower()):
        found[int(hashlib.sha256(word.encode()).hexdigest(), 16) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(each * each for each in found)) or 1.0
    return [each / length for each in found]


def text_of(message: Any) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class Model:
    """The service. A question about the weather makes it use the tool `weather`, if it has that."""

    def __init__(self) -> None:
        self.asked: list[list[Any]] = []
        """The messages of each request for an answer."""

    def __call__(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == "Bearer key"
        body = asked.json
        if asked.path == "/v1/embeddings":
            inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
            data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(inputs)]
            return Answer(200, {"data": data, "usage": {"prompt_tokens": len(inputs)}})
        assert asked.path == "/v1/chat/completions"
        self.asked.append(body["messages"])
        message = self._message(body)
        head = {"id": "chat-1", "created": 1_700_000_000, "model": body["model"]}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        reason = "tool_calls" if "tool_calls" in message else "stop"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return Answer(200, {**head, "choices": [choice], "usage": usage})
        words = re.findall(r"\S+\s*", message.get("content") or "")
        chunks: list[Any] = [
            {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}}]}
            for word in words
        ]
        chunks.append(
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}
        )
        events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        return Answer(200, events.encode(), {"Content-Type": "text/event-stream"})

    def _message(self, body: Any) -> dict[str, Any]:
        last = body["messages"][-1]
        if last["role"] == "tool":
            return {"role": "assistant", "content": f"The tool says {text_of(last)}."}
        if "weather" in text_of(last) and body.get("tools"):
            call = {"name": "weather", "arguments": json.dumps({"place": "Rome"})}
            call_ = {"id": "call-1", "type": "function", "function": call}
            return {"role": "assistant", "content": None, "tool_calls": [call_]}
        return {"role": "assistant", "content": f"You said: {text_of(last)}"}
