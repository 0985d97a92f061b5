"""asyncio is imported without TLS beside the screen, and everything else can use TLS."""

from __future__ import annotations

import subprocess
import sys

IMPORTED = """
import bpftop.tui.app
import sys
print("textual" in sys.modules, "asyncio" in sys.modules, "ssl" in sys.modules, "_ssl" in sys.modules)
"""
LATER = """
import bpftop.tui.import_without_ssl
import asyncio, ssl

async def start_tls(context):
    await asyncio.get_running_loop().start_tls(None, None, context)

try:
    asyncio.run(start_tls(ssl.create_default_context()))
except RuntimeError as error:
    print(error)
"""


def printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def test_the_screen_loads_no_openssl() -> None:
    assert printed(IMPORTED) == "True True False False\n"


def test_ssl_can_be_imported_later_but_asyncio_has_no_tls() -> None:
    assert printed(LATER) == "Python ssl module is not available\n"
