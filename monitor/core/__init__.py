"""Pure decisions. No I/O, no wall clock, no randomness, no float in the books; standard library only."""
