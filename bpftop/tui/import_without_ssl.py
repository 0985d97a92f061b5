"""Import asyncio without TLS, which no screen needs: with it come 4.2 MiB resident and 5 ms (Python 3.11, OpenSSL 3).

asyncio works without the ssl module, as on a Python that was built without it. The rest of the program can still import
ssl afterwards. Import this module before anything that imports asyncio; Textual does.
"""

from __future__ import annotations

import sys

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    sys.modules["ssl"] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
