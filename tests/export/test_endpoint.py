"""The endpoint in one process: what connections that say nothing, or little, cost those that ask."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from bpftop.errors import BpftopError
from bpftop.export.prometheus import endpoint as endpoint_module
from bpftop.export.prometheus.endpoint import CONNECTIONS, Endpoint, Newest
from tests.export.moments import moment
from tests.waiting import LIMIT_S


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    newest = Newest()
    newest.put(moment())
    with closing(Endpoint("127.0.0.1", 0, newest)) as found:
        yield found


def asked(endpoint: Endpoint, method: str = "GET") -> tuple[int, int, bytes]:
    """Status, length that was announced, and content."""
    connection = http.client.HTTPConnection(*endpoint.address, timeout=LIMIT_S)
    with closing(connection):
        connection.request(method, "/metrics")
        answer = connection.getresponse()
        return answer.status, int(answer.headers["Content-Length"]), answer.read()


def test_silent_connections_keep_no_scraper_out(endpoint: Endpoint) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(endpoint.address, 20)) for _ in range(2 * CONNECTIONS)]
        silent[-1].sendall(b"GET /metr")
        for _ in range(CONNECTIONS):
            status, length, content = asked(endpoint)
            assert (status, length) == (200, len(content))
        assert silent[0].recv(1) == b""  # the oldest went first


def test_a_byte_now_and_then_does_not_keep_a_connection(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "TIMEOUT_S", 0.1)
    with socket.create_connection(endpoint.address) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        with suppress(ConnectionError):  # until the other side hangs up
            for _ in range(3000):
                slow.sendall(b"a: b\r\n")
                time.sleep(0.02)
            raise AssertionError("it still holds its place")


def test_head_has_what_get_has_but_the_content(endpoint: Endpoint) -> None:
    status, length, content = asked(endpoint)
    assert content.endswith(b"\n")
    assert asked(endpoint, "HEAD") == (status, length, b"")


def test_a_second_endpoint_on_the_port_is_one_clear_line() -> None:
    with closing(Endpoint("::1", 0, Newest())) as first:
        host, port = first.address
        with pytest.raises(BpftopError, match=rf"^cannot listen on \[::1\]:{port}: Address already in use; "):
            Endpoint(host, port, Newest())


def test_no_name_is_looked_up_for_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(name: str = "") -> str:
        raise AssertionError(f"{name} was looked up")

    monkeypatch.setattr(socket, "getfqdn", slow)
    with closing(Endpoint("127.0.0.1", 0, Newest())) as found:
        assert found.address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://h:9435/metrics", b"200"), ("http://h", b"200"), ("http://h/metrics?x=http://h/", b"200"), ("/x", b"404")],
)
def test_an_absolute_target_is_answered(endpoint: Endpoint, target: str, status: bytes) -> None:
    with socket.create_connection(endpoint.address) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(4096).split()[1] == status
