"""Flopwatch: what is being trained on a provider's accelerators, by whom, and how sure we are."""
