"""Runs every proof, one after another, and writes a JSON line about each: name, whether it held, and its findings."""

from __future__ import annotations

import importlib
import json
import time
import traceback

from tests.qemu.guest.names import PROOFS


def main() -> None:
    for name, where in PROOFS.items():
        begin_s = time.monotonic()
        module, _, function = where.partition(".")
        try:
            held, said = True, getattr(importlib.import_module(f"tests.qemu.guest.{module}"), function)()
        except Exception:  # noqa: BLE001 the next proof is another matter
            held, said = False, traceback.format_exc()
        print(json.dumps({"proof": name, "held": held, "said": said, "took_s": time.monotonic() - begin_s}), flush=True)


if __name__ == "__main__":
    main()
