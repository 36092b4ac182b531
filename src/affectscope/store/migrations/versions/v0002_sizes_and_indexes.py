"""Files of more than 2 GiB with PostgreSQL; ways to rows that were looked for without an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("stored_file", "upload"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("size", existing_type=sa.Integer(), type_=sa.BigInteger())
    op.create_index("login_of_user", "login", ["user_id"])
    op.create_index("membership_of_user", "membership", ["user_id"])
    op.create_index("done_once_by_time", "done_once", ["created_at"])
    op.create_index("job_of_subject", "job", ["subject_id"])
    op.create_index("product_of_subject", "product", ["subject_id"])
