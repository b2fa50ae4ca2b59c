"""The loops: the only code that waits. Everything they do with facts is the one straight line of `apply`."""
