"""What map operations and programs cost on this machine, measured on demand: a library that prints nothing."""
