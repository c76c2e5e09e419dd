"""A response being read, with limits on its size and on the number of its pieces."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx

from exporter.errors import PayloadError, PayloadTooLarge
from exporter.stalwart.http.credentials import Credentials
from exporter.stalwart.http.endpoint import EndpointTable, ResponseForm
from exporter.stalwart.http.network import begin_body
from exporter.stalwart.http.pace import Pace
from exporter.stalwart.http.responses import SMALL_BYTES, RawResponse

CRUMBS = 4096
"""The number of body pieces of any size; further pieces must have `CRUMB_BYTES` on average."""

CRUMB_BYTES = 64

JOINED_BYTES = 8 * 1024 * 1024
"""Up to this size the pieces of a body are kept as received and joined once, which takes up to twice its memory."""


class BodyBuffer:
    """
    The pieces of a body received so far.

    An ordinary body is copied only once. A larger one is collected in a single growing buffer instead, so that a lying
    server cannot occupy more than its size. The caller limits the number of pieces.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._large: io.BytesIO | None = None

    def __len__(self) -> int:
        return self._bytes

    def add(self, piece: bytes) -> None:
        """Append *piece*."""
        self._bytes += len(piece)
        if self._large is not None:
            self._large.write(piece)
            return
        self._pieces.append(piece)
        if self._bytes > JOINED_BYTES:
            self._large = io.BytesIO()
            self._large.writelines(self._pieces)
            self._pieces.clear()

    def clear(self) -> None:
        """Release the memory."""
        self._pieces.clear()
        self._large = None

    def getvalue(self) -> bytes:
        """Return the body."""
        return b"".join(self._pieces) if self._large is None else self._large.getvalue()


class Reading:
    """
    A response being read.

    Attributes:
        status: ``None`` until the head has arrived.
        received: Body bytes so far.
    """

    def __init__(
        self, endpoint: EndpointTable, max_body_bytes: int, on_headers: Callable[[httpx.Headers], None]
    ) -> None:
        self.status: int | None = None
        self.received = 0
        self._endpoint = endpoint
        self._max_body_bytes = min(max_body_bytes, endpoint.value.most_bytes or max_body_bytes)
        self._on_headers = on_headers
        self._headers = httpx.Headers()
        self._body = BodyBuffer()
        self._pieces = 0

    async def run(self, network: httpx.AsyncBaseTransport, request: httpx.Request) -> None:
        response = await network.handle_async_request(request)
        try:
            self.status, self._headers = response.status_code, response.headers
            self._on_headers(response.headers)
            if self.status == 200:
                # HTTP/1.0, as simple proxies speak it, ends a response by closing the connection.
                self._check_head(ends_by_closing=response.http_version == "HTTP/1.0")
            begin_body(response)
            await self._read_body(response)
        except BaseException:
            if self.status == 200:
                self._body.clear()  # The exception's traceback keeps this object alive.
            raise
        finally:
            await response.aclose()

    async def _read_body(self, response: httpx.Response) -> None:
        pace = Pace()
        async for piece in response.aiter_raw():
            self._body.add(piece)
            self.received += len(piece)
            self._pieces += 1
            if self.status != 200 and self.received >= SMALL_BYTES:
                break
            self._check_size(self.received)
            self._check_crumbs()
            await pace.step()

    def answer(self, login: Credentials | None) -> RawResponse:
        return RawResponse(
            status=self.status or 0,
            content_type=self._headers.get("content-type", ""),
            retry_after=self._headers.get("retry-after", ""),
            body=self._link() or self._body.getvalue(),
            authenticated=login is not None,
            secrets=() if login is None else login.secrets(),
        )

    def _link(self) -> bytes:
        """Return the target of a redirect if the endpoint expects one, else nothing."""
        if self._endpoint.value.answer is not ResponseForm.LINK or self.status == 200:
            return b""
        return str(self._headers.get("location", "")).encode()

    def _check_head(self, *, ends_by_closing: bool) -> None:
        label = self._endpoint.label
        if self._endpoint.value.answer in (ResponseForm.LINK, ResponseForm.PACKED):
            return
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            raise PayloadError(f"{label}: compressed, although not requested")
        length = self._headers.get("content-length", "")
        if length.isdecimal():
            self._check_size(int(length))
        elif (
            self._endpoint.value.answer is ResponseForm.TEXT
            and "transfer-encoding" not in self._headers
            and not ends_by_closing
        ):
            raise PayloadError(f"{label}: a response without a length; a truncation would go unnoticed")

    def _check_size(self, size_bytes: int) -> None:
        if self.status == 200 and size_bytes > self._max_body_bytes:
            raise PayloadTooLarge(f"{self._endpoint.label}: more than {self._max_body_bytes} bytes")

    def _check_crumbs(self) -> None:
        if self._pieces > CRUMBS and self.received < (self._pieces - CRUMBS) * CRUMB_BYTES:
            raise PayloadError(f"{self._endpoint.label}: a response in {self._pieces} chunks of a few bytes each")
