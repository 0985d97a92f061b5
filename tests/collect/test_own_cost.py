"""The cost of watching, where its library cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FAILS_ONCE = """
import sys
while not sys.let_it_fail:
    pass
raise MemoryError
"""
TWO_THREADS = """
import sys, threading, time
from bpftop.collect.host import OwnCostCollector

sys.let_it_fail = False

def first():
    try:
        import psutil
    except MemoryError:
        pass

def second():
    try:
        OwnCostCollector(without_memory=0).readings(0)
    except Exception as error:
        print(type(error).__name__)

def waits_for_an_import(thread):
    return sys._current_frames()[thread.ident].f_code.co_filename == "<frozen importlib._bootstrap>"

threads = [threading.Thread(target=first), threading.Thread(target=second)]
threads[0].start()
while "psutil" not in sys.modules:
    time.sleep(0.001)
threads[1].start()
while not waits_for_an_import(threads[1]):
    time.sleep(0.001)
sys.let_it_fail = True
for thread in threads:
    thread.join()
"""


def test_a_library_that_another_thread_failed_to_import(tmp_path: Path) -> None:
    """`import` returned the module as far as it had come: psutil without Process."""
    (tmp_path / "psutil.py").write_text(FAILS_ONCE)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}){TWO_THREADS}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("MemoryError\n", "")
