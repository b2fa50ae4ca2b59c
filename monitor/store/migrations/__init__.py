"""How the tables came to be: one migration a change, applied in order when a store is opened."""
