"""Regions of the screen. Only ``canvas`` and ``role_styles`` need Textual or Rich."""
