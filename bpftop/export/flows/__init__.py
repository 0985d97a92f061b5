"""The busiest flows of an interface as a document."""
