"""The Prometheus endpoint: the newest snapshot, rendered once for all scrapers.

Scrapers cost the sampler nothing: the sampler only stores the newest snapshot. At most ``CONNECTIONS`` connections are
open, each for at most ``TIMEOUT_S``, even if the peer sends a byte now and then. When all are in use, a new connection
replaces the oldest connection without a request, so silent connections keep no scraper out.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from prometheus_client.exposition import choose_encoder

from bpftop import __version__
from bpftop.config.resources import start_thread
from bpftop.errors import BpftopError
from bpftop.export.prometheus.metrics import registry_of
from bpftop.fields import mutable
from bpftop.model.snapshot import Snapshot

TIMEOUT_S = 10.0
CONNECTIONS = 16

_PAGE = b"""<!doctype html><title>bpftop</title><h1>bpftop</h1><p><a href="/metrics">metrics</a></p>\n"""


class Newest:
    """The newest snapshot, and its text per content type."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._rendered: tuple[Snapshot | None, dict[str, bytes]] = None, {}

    def put(self, snapshot: Snapshot) -> None:
        """Store the newest snapshot. Called by the sampler; never waits for a rendering."""
        self._snapshot = snapshot

    def text(self, accept: str) -> tuple[bytes, str] | None:
        """Return text and content type for an Accept header; None before the first sample."""
        encoder, content_type = choose_encoder(accept)
        with self._lock:
            snapshot = self._snapshot
            if snapshot is None:
                return None
            if self._rendered[0] is not snapshot:
                self._rendered = snapshot, {}
            texts = self._rendered[1]
            if content_type not in texts:
                texts[content_type] = encoder(registry_of(snapshot))
            return texts[content_type], content_type


def authority(host: str, port: int) -> str:
    """Format host and port for a URL: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Endpoint:
    """A server that listens from its construction on. ``before_serving`` is called first in the serving thread.

    Raises:
        BpftopError: The address is in use, or does not belong to this machine.
    """

    def __init__(self, host: str, port: int, newest: Newest, before_serving: Callable[[], object] = bool) -> None:
        handler = type("Handler", (_Handler,), {"newest": newest})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BpftopError(
                f"cannot listen on {authority(host, port)}: {reason}; give another address with --listen HOST:PORT"
            ) from error
        self._before_serving = before_serving
        self._thread = threading.Thread(target=self._serve, name="scrapes", daemon=True)
        try:
            start_thread(self._thread)
        except BpftopError:
            self._server.server_close()
            raise

    def _serve(self) -> None:
        self._before_serving()  # in this thread: each connection gets a thread that inherits its credentials
        self._server.serve_forever()

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port; for port 0, the port that the system chose."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@mutable
class _Place:
    """The state of a connection: the time of its begin (monotonic), and whether its request has come."""

    since_s: float
    asked: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a scraper that stands still does not hold up the end
    request_queue_size = 64
    allow_reuse_port = False  # else the second of two exporters on one port would take half of the scrapes

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._places: dict[socket.socket, _Place] = {}
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without looking up the address's name, as http.server does: a resolver may take seconds to fail."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._seated(request):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def _seated(self, request: socket.socket) -> bool:
        with self._lock:
            if len(self._places) >= CONNECTIONS:
                silent = next((connection for connection, place in self._places.items() if not place.asked), None)
                if silent is None:
                    return False
                self._hang_up(silent)
            self._places[request] = _Place(time.monotonic())
            return True

    def asked(self, request: socket.socket) -> None:
        """Note that a connection's request has come: new connections no longer replace the connection."""
        with self._lock:
            if request in self._places:
                self._places[request].asked = True

    def service_actions(self) -> None:
        """Close late connections. Called by the accepting thread at least twice a second."""
        with self._lock:
            oldest_s = time.monotonic() - TIMEOUT_S
            for late in [connection for connection, place in self._places.items() if place.since_s < oldest_s]:
                self._hang_up(late)

    def _hang_up(self, request: socket.socket) -> None:
        """End reads and writes of a connection; the connection's thread closes the socket."""
        del self._places[request]
        with suppress(OSError):  # it has ended by itself
            request.shutdown(socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._places.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a scraper may leave at any time, and other errors are answered with status 500."""


class _Handler(BaseHTTPRequestHandler):
    newest: ClassVar[Newest]
    server_version = f"bpftop/{__version__}"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self.server.asked(self.connection)
        path = urlsplit(self.path).path or "/"  # a proxy sends the absolute form, which RFC 9112 3.2.2 has accepted
        if path == "/":
            self._answer(200, _PAGE, "text/html; charset=utf-8")
        elif path != "/metrics":
            self._answer(404, b"not found: try /metrics\n", "text/plain; charset=utf-8")
        else:
            page = self.newest.text(self.headers.get("Accept", ""))
            if page is None:
                self._answer(503, b"no sample yet\n", "text/plain; charset=utf-8")
            else:
                self._answer(200, *page)

    do_HEAD = do_GET

    def _answer(self, status: int, content: bytes, content_type: str) -> None:
        with suppress(ConnectionError, TimeoutError):  # the scraper has gone
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a line per scrape would fill the journal."""
