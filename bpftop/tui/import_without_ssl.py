"""Import asyncio without TLS, which saves 4.2 MiB resident and 5 ms (Python 3.11, OpenSSL 3).

The price: asyncio has no TLS in this process any more, as on a Python built without OpenSSL. A later ``import ssl``
succeeds and blocking TLS (urllib, http.client) works, but asyncio has bound None to the name: ``loop.start_tls`` and
``open_connection(ssl=...)`` raise RuntimeError. Code that needs TLS with asyncio must remove this import of
bpftop.tui.app. An ``import ssl`` of another thread fails while asyncio is being imported.

Import this module before anything that imports asyncio. Textual imports asyncio.
"""

from __future__ import annotations

import sys
from typing import Any

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    modules: dict[str, Any] = sys.modules
    modules["ssl"] = None  # makes `import ssl` raise ImportError
    try:
        import asyncio  # noqa: F401
    finally:
        del modules["ssl"]
