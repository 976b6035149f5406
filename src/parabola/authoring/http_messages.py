"""What an HTTP action receives and what it answers: requests, responses and their headers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from parabola.authoring.form_data import FormData, parse_form
from parabola.authoring.operations import Wait
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_WHOLE_BODY_SIZE
from parabola.values.sizes import humanize
from parabola.values.texts import is_well_formed

__all__ = [
    "WITHOUT_BODY",
    "Chunks",
    "HeaderPairs",
    "Headers",
    "QueryParameters",
    "Request",
    "Response",
    "SyncRequest",
    "check_headers",
    "check_status",
]

HeaderPairs = Iterable[tuple[str, str]]
Chunks = Iterable[bytes] | AsyncIterable[bytes]

WITHOUT_BODY: Final = frozenset({204, 205, 304})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*\Z")


class Headers(Mapping[str, str]):
    """HTTP headers; names are looked up without regard to case. `pairs` has them all, in order."""

    def __init__(self, headers: Mapping[str, str] | HeaderPairs = ()) -> None:
        items = headers.items() if isinstance(headers, Mapping) else headers
        self.pairs: list[tuple[str, str]] = [(str(name), str(value)) for name, value in items]

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def get_all(self, name: str) -> list[str]:
        """Every value of a header."""
        lower = name.lower()
        return [value for key, value in self.pairs if key.lower() == lower]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self.pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


class QueryParameters(dict[str, str]):
    """The parameters of a URL by name; of one that is repeated the last. `pairs` has them all, in order."""

    def __init__(self, query: str) -> None:
        self.pairs = parse_qsl(query, keep_blank_values=True)
        super().__init__(self.pairs)

    def get_all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return [value for key, value in self.pairs if key == name]


class Request:
    """A request as an `async def` HTTP action receives it.

    The action starts as soon as the headers are there. `stream` gives the body as it arrives; the other
    readers wait for all of it, may be used several times, and refuse a body over 20 MiB. All of them raise
    `ConnectionError` when the client goes away before the body is complete.
    """

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | HeaderPairs = (),
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        is_disconnected: Callable[[], bool] = lambda: False,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self._whole = body if isinstance(body, bytes) else None
        self._pieces = None if isinstance(body, bytes) else body
        self._has_begun = False
        self._is_disconnected = is_disconnected

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    @property
    def query(self) -> QueryParameters:
        """The parameters of the URL."""
        return QueryParameters(urlsplit(self.url).query)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client sent; what is none is passed over."""
        found: dict[str, str] = {}
        for part in ";".join(self.headers.get_all("cookie")).split(";"):
            name, equals, value = part.partition("=")
            if equals and name.strip():
                found[name.strip()] = value.strip().strip('"')
        return found

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it arrives; they are not kept, so it can be read once.

        The client can send no faster than this is read.
        """
        if self._whole is not None:
            if self._whole:
                yield self._whole
            return
        if self._has_begun:
            raise RuntimeError("The body of this request has been read already: `stream` gives it once.")
        self._has_begun = True
        assert self._pieces is not None
        async for piece in self._pieces:
            yield piece

    async def body(self) -> bytes:
        """The whole body."""
        if self._whole is None:
            pieces, size = [], 0
            async for piece in self.stream():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_WHOLE_BODY_SIZE:
                    raise BadRequest(
                        f"The body of this request is larger than {humanize(MAX_WHOLE_BODY_SIZE)}. "
                        "Read it in pieces, with `request.stream()`.",
                        code="HttpRequestTooLarge",
                    )
            self._whole = b"".join(pieces)
        return self._whole

    async def text(self) -> str:
        """The body as UTF-8."""
        return (await self.body()).decode()

    async def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(await self.body())

    async def form(self) -> FormData:
        """The fields of a form: `multipart/form-data` or `application/x-www-form-urlencoded`."""
        return parse_form(self.headers.get("content-type", ""), await self.body())

    async def is_disconnected(self) -> bool:
        """Whether the client has gone. Its action goes on all the same; nobody reads the response."""
        return self._is_disconnected()


class SyncRequest:
    """A request as a plain `def` HTTP action receives it: a `Request` whose readers just wait."""

    def __init__(self, request: Request, wait: Wait) -> None:
        self._request = request
        self._wait = wait
        self.method = request.method
        self.url = request.url
        self.headers = request.headers
        self.path = request.path
        self.query = request.query
        self.cookies = request.cookies

    def __repr__(self) -> str:
        return repr(self._request)

    def stream(self) -> Iterator[bytes]:
        """The body in the pieces in which it arrives; they are not kept, so it can be read once."""
        pieces = self._request.stream()
        while True:
            try:
                piece = self._wait(anext(pieces))
            except StopAsyncIteration:
                return
            yield piece

    def body(self) -> bytes:
        """The whole body."""
        return self._wait(self._request.body())

    def text(self) -> str:
        """The body as UTF-8."""
        return self._wait(self._request.text())

    def json(self) -> Any:
        """The body as JSON."""
        return self._wait(self._request.json())

    def form(self) -> FormData:
        """The fields of a form: `multipart/form-data` or `application/x-www-form-urlencoded`."""
        return self._wait(self._request.form())

    def is_disconnected(self) -> bool:
        """Whether the client has gone. Its action goes on all the same; nobody reads the response."""
        return self._wait(self._request.is_disconnected())


class Response:
    """What an HTTP action answers. A `str` body is sent as UTF-8 text, `Response.json` as JSON.

    An iterable of bytes, also an asynchronous one such as a generator, is sent piece by piece, no faster than
    the client reads.
    """

    def __init__(
        self,
        body: bytes | str | Chunks | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | HeaderPairs = (),
    ) -> None:
        self.status = check_status(status)
        if body and not self.has_body:
            raise BadRequest(f"A response with status {status} has no body.")
        self.headers = Headers(headers)
        check_headers(self.headers)
        self.chunks: Chunks | None = None
        """The body in pieces; `body` is empty then."""
        self.body = b""
        if isinstance(body, (bytes, bytearray)):
            self.body = bytes(body)
        elif isinstance(body, str):
            self.body = body.encode()
        else:
            self.chunks = body
        if isinstance(body, str) and "content-type" not in self.headers:
            self.headers.pairs.append(("content-type", "text/plain;charset=UTF-8"))

    @property
    def has_body(self) -> bool:
        """Whether responses with this status have a body at all."""
        return self.status not in WITHOUT_BODY

    @classmethod
    def json(cls, data: Any, *, status: int = 200, headers: Mapping[str, str] | HeaderPairs = ()) -> Response:
        """A JSON response."""
        response = cls(orjson.dumps(data), status=status, headers=headers)
        if "content-type" not in response.headers:
            response.headers.pairs.append(("content-type", "application/json"))
        return response

    @classmethod
    def redirect(cls, url: str, status: int = 302) -> Response:
        """A redirect to another URL."""
        return cls(status=status, headers={"location": url})


def check_status(status: Any) -> int:
    """The status as a plain number. Raises `BadRequest` for what is none of a response."""
    if not isinstance(status, int) or not 200 <= int(status) <= 599:
        raise BadRequest(f"The status of a response is between 200 and 599, not {status!r}.")
    return int(status)


def check_headers(headers: Headers) -> None:
    """Refuse what would end a header early, or be none. Raises `BadRequest`."""
    for name, value in headers.pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadRequest(
                f"The names and values of HTTP headers are strings. Received {name!r}: {value!r}."
            )
        if not is_well_formed(value):
            raise BadRequest(f"String {value!a} is not valid Unicode: it has a lone surrogate")
        if not _HEADER_NAME.match(name):
            raise BadRequest(f"{name!r} is not the name of an HTTP header.")
        if not _HEADER_VALUE.match(value):
            raise BadRequest(f"The value of the header {name} has a line break or another control character.")
