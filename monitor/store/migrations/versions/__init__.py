"""The migrations, named by number and subject."""
