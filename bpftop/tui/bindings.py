"""Bindings of Textual, made from the table of actions: the class that handles an action binds it."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from bpftop.tui.actions import ACTIONS

_BY_ID = {action.id: action for action in ACTIONS}
_BEFORE_ALL = frozenset({"filter", "seek", "palette"})
"""Actions that open a line to type in. Textual hands a key to the widget that has the focus when the key arrives; these
are done before the next key is handed on, so that keys typed quickly after them reach the line."""


def bindings(*ids: str) -> list[BindingType]:
    """Return bindings that call ``action_ID`` of the class that has them."""
    return [bound(id, id) for id in ids]


def bound(id: str, call: str) -> Binding:
    """Return a binding of an action's keys that calls something else."""
    action = _BY_ID[id]
    is_own = call == id or id == "palette"
    return Binding(action.keys, call, action.title, show=False, id=id, priority=id in _BEFORE_ALL and is_own)
