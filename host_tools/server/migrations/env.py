"""Alembic runs this: bring the database of the given connection to the wanted revision.

`host_tools.server.migrate` hands the connection over and owns its transaction, so that a step that fails
leaves everything as it was.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
