"""``bpftop export``: an endpoint that no scraper can block, and its errors."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.cli.running import bpftop, started
from tests.waiting import LIMIT_S, until

QUIET = ("lo", "--attach", "none", "--no-drops")
STALLED, QUICK, TIMES = 20, 50, 4
INTERVAL_S = 0.5


@contextmanager
def exporter(*words: str) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """Yield the process, and where it listens."""
    with started("export", *QUIET, "--listen", "127.0.0.1:0", *words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            match = re.fullmatch(r"bpftop: metrics at http://(.*):(\d+)/metrics\n", line)
            if match:
                yield process, (match[1], int(match[2]))
                return
        raise AssertionError("it ended before it listened")


def get(address: tuple[str, int]) -> str | None:
    """Return the metrics; None if the endpoint refused, or has no sample yet."""
    connection = http.client.HTTPConnection(*address, timeout=LIMIT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def tick(address: tuple[str, int]) -> int:
    """Return how many samples were taken."""

    def whole() -> str | None:
        text = get(address)
        return text if text and "bpftop_link_rx_packets_total{" in text else None

    text = until(whole, "the exporter has a sample with rates")
    (count,) = re.findall(r"^bpftop_samples_total (\S+)$", text, re.MULTILINE)
    return int(float(count))


def test_slow_and_many_scrapers_never_slow_the_sampler() -> None:
    with exporter("-i", str(INTERVAL_S)) as (_, address), ExitStack() as stack:
        tick(address)
        answered: list[bool] = []

        def ask() -> None:
            for _ in range(TIMES):
                answered.append(get(address) is not None)

        quick = [threading.Thread(target=ask) for _ in range(QUICK)]
        for thread in quick:
            thread.start()
        still = [stack.enter_context(socket.create_connection(address)) for _ in range(STALLED)]
        for number, connection in enumerate(still):  # that never ask, or never read
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" if number % 2 else b"GET /metr")
        for one in quick:
            one.join()
        taken = tick(address)
        until(lambda: tick(address) >= taken + 6, "six more samples are taken while connections stand still")
        assert len(answered) == QUICK * TIMES
        assert any(answered)


def test_it_ends_during_a_stalled_scrape() -> None:
    with exporter("-i", "0.2") as (process, address), socket.create_connection(address) as still:
        still.sendall(b"GET /metr")
        tick(address)
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_an_address_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = bpftop("export", *QUIET, "--listen", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"bpftop: cannot listen on {address}: Address already in use; give another address with --listen HOST:PORT\n"
    )


@pytest.mark.parametrize(
    ("listen", "code", "says"),
    [
        ("192.0.2.1:9435", 1, "cannot listen on 192.0.2.1:9435: Cannot assign requested address; give another address"),
        ("no.such.host.invalid:1", 1, "cannot listen on no.such.host.invalid:1: "),
        ("9435", 2, "argument --listen: '9435' is no HOST:PORT, as in 127.0.0.1:9435 or [::1]:9435"),
        ("127.0.0.1:99999", 2, "argument --listen: '127.0.0.1:99999' is no HOST:PORT"),
    ],
)
def test_an_invalid_address_is_one_line(listen: str, code: int, says: str) -> None:
    done = bpftop("export", *QUIET, "--listen", listen)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_address_is_printed_before_the_first_sample() -> None:
    with exporter("-i", "0.2") as (_, address):
        assert address[0] == "127.0.0.1"
        assert json.dumps(tick(address))
