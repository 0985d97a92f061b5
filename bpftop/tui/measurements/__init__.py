"""Measurements of the panes: engines that run in threads while the screen goes on."""
