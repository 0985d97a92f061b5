"""The Prometheus endpoint: the newest moment, rendered once however many ask for it.

Scrapers cost the sampler nothing: it only puts the newest snapshot down here. There are ``CONNECTIONS`` places, and one
is held for ``TIMEOUT_S`` at most, also by who sends a byte now and then. Whoever has not asked yet gives its place up
to who comes next, the oldest first, so that connections which say nothing keep no scraper out.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, ClassVar

from prometheus_client.exposition import choose_encoder

from bpftop import __version__
from bpftop.errors import BpftopError
from bpftop.export.prometheus.metrics import registry_of
from bpftop.model.snapshot import Snapshot

TIMEOUT_S = 10.0
CONNECTIONS = 16

_PAGE = b"""<!doctype html><title>bpftop</title><h1>bpftop</h1><p><a href="/metrics">metrics</a></p>\n"""


class Newest:
    """The newest snapshot, and its text per content type."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: Snapshot | None = None
        self._rendered: tuple[Snapshot | None, dict[str, bytes]] = None, {}

    def put(self, shown: Snapshot) -> None:
        """From the sampler's side. Never waits for a rendering."""
        self._shown = shown

    def text(self, accept: str) -> tuple[bytes, str] | None:
        """The text and its content type, as the scraper accepts it; None before the first sample."""
        encoder, content_type = choose_encoder(accept)
        with self._lock:
            shown = self._shown
            if shown is None:
                return None
            if self._rendered[0] is not shown:
                self._rendered = shown, {}
            texts = self._rendered[1]
            if content_type not in texts:
                texts[content_type] = encoder(registry_of(shown))
            return texts[content_type], content_type


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Endpoint:
    """Listens from the moment it is made. Raises BpftopError: the address is in use, or is none of this machine."""

    def __init__(self, host: str, port: int, newest: Newest) -> None:
        handler = type("Handler", (_Handler,), {"newest": newest})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BpftopError(
                f"cannot listen on {authority(host, port)}: {reason}; give another address with --listen HOST:PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="scrapes", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port that the system chose where 0 was asked for."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class _Place:
    """A connection: since when it is there (monotonic), and whether its request has come."""

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
        """Without the name of the address, which http.server looks up: a resolver may take long to say nothing."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._seated(request):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def _seated(self, request: socket.socket) -> bool:
        with self._lock:
            if len(self._places) >= CONNECTIONS:
                silent = next((one for one, place in self._places.items() if not place.asked), None)
                if silent is None:
                    return False
                self._hang_up(silent)
            self._places[request] = _Place(time.monotonic())
            return True

    def asked(self, request: socket.socket) -> None:
        """Its request has come: from now on the place is its own."""
        with self._lock:
            if request in self._places:
                self._places[request].asked = True

    def service_actions(self) -> None:
        """Twice a second and more, from the thread that accepts."""
        with self._lock:
            oldest_s = time.monotonic() - TIMEOUT_S
            for late in [one for one, place in self._places.items() if place.since_s < oldest_s]:
                self._hang_up(late)

    def _hang_up(self, request: socket.socket) -> None:
        """Ends its reads and writes; its thread closes it."""
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
        """A scraper that went away is no news; anything else is told by the server's answer of 500."""


class _Handler(BaseHTTPRequestHandler):
    newest: ClassVar[Newest]
    server_version = f"bpftop/{__version__}"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self.server.asked(self.connection)
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(200, _PAGE, "text/html; charset=utf-8")
        elif path != "/metrics":
            self._answer(404, b"not found: try /metrics\n", "text/plain; charset=utf-8")
        else:
            found = self.newest.text(self.headers.get("Accept", ""))
            if found is None:
                self._answer(503, b"no sample yet\n", "text/plain; charset=utf-8")
            else:
                self._answer(200, *found)

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
        """A line per scrape would fill a journal."""
