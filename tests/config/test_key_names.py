"""Names of keys: all that Textual knows, and a hint for a name that it does not."""

from __future__ import annotations

import pytest
from textual.keys import Keys, _character_to_key

from bpftop.config.key_names import key_name


def test_characters_have_the_names_that_textual_gives_them() -> None:
    for code in range(33, 127):
        assert key_name(chr(code)) == _character_to_key(chr(code))
        assert key_name(_character_to_key(chr(code))) == _character_to_key(chr(code))
    assert key_name("ctrl+/") == "ctrl+slash"


def test_keys_of_textual_are_known() -> None:
    made_up = {Keys.Any, Keys.ScrollUp, Keys.ScrollDown, Keys.Ignore, Keys.ControlSpace, Keys.Enter}
    for key in set(Keys) - made_up:
        if key.value != "return":  # Textual reports enter
            assert key_name(key.value)


@pytest.mark.parametrize(
    ("word", "hint"), [("spcae", "space"), ("ctrl+pagedwn", "pagedown"), ("quetion_mark", "question_mark")]
)
def test_an_unknown_key_has_the_nearest_name(word: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"there is no key '{word.replace('+', '[+]')}' \(did you mean {hint}\?\)"):
        key_name(word)


@pytest.mark.parametrize("word", ["", "f25", "ctrl+", "xyz"])
def test_no_key_at_all(word: str) -> None:
    with pytest.raises(ValueError, match="there is no key"):
        key_name(word)
