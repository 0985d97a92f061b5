"""The screens: the frame with the panes, and what opens above it."""
