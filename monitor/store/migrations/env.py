"""Runs migrations on the connection and in the transaction that the store gives."""

from alembic import context

from monitor.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
