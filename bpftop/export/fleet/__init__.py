"""Many hosts at one moment, as a table and as a document."""
