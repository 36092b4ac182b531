"""The schema's versions, each made from the one before (Alembic)."""
