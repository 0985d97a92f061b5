"""Many hosts: their samples over ssh, a snapshot of each, and which of them cannot be watched and why."""
