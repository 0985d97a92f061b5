"""`bpftop doctor`: its probes say what this kernel can do, and every no says what that means."""

from __future__ import annotations

import re

from tests.qemu.guest.bpftop import HAS_BATCH, HAS_FRAGS, HAS_TCX, LINUX, bpftop
from tests.qemu.guest.wire import NEAR, veth

WORDS = {True: "ok", False: "no"}
EXPECTED = {
    "XDP counter": True,
    "XDP frags counter": HAS_FRAGS,
    "tc counter": True,
    "batch reads": HAS_BATCH,
    "XDP links": True,
    "native XDP": True,
    "TCX": HAS_TCX,
    "clsact": True,
    "kernel BTF": True,
    "rtnetlink": True,
}


def answers_and_explains() -> str:
    with veth():
        text = bpftop("doctor", NEAR)
    answers = {
        name: (word, said) for word, name, said in re.findall(r"^(ok|no|\?|-) +(.+?)  +(.*)$", text, re.MULTILINE)
    }
    wrong = {name: answers.get(name) for name, can in EXPECTED.items() if answers.get(name, ("",))[0] != WORDS[can]}
    assert not wrong, f"{wrong} in\n{text}"
    silent = [name for name, (word, said) in answers.items() if word != "ok" and not said]
    assert not silent, text
    assert "Traceback" not in text, text
    return f"Linux {'.'.join(map(str, LINUX))}: {text.splitlines()[0]}"
