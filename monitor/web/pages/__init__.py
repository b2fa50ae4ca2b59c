"""The pages of the console, one module a subject; each has a `router`."""
