"""No digests of payment files are kept: an account number could be guessed from one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_KEPT = """
CREATE OR REPLACE FUNCTION refuse_other_payment_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.run, OLD.number, OLD.processing_day, OLD.instructions, OLD.total)
       IS DISTINCT FROM
       (NEW.run, NEW.number, NEW.processing_day, NEW.instructions, NEW.total) OR
       ((OLD.sealed_bacs, OLD.sealed_csv) IS DISTINCT FROM (NEW.sealed_bacs, NEW.sealed_csv)
        AND OLD.sealed_with = NEW.sealed_with) THEN
        RAISE EXCEPTION 'payment file % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


_BEFORE = _KEPT.replace("OLD.total)", "OLD.total, OLD.bacs_sha256, OLD.csv_sha256)").replace(
    "NEW.total)", "NEW.total, NEW.bacs_sha256, NEW.csv_sha256)"
)


def upgrade() -> None:
    op.execute(_KEPT)
    op.drop_column("payment_files", "bacs_sha256")
    op.drop_column("payment_files", "csv_sha256")


def downgrade() -> None:
    # what the digests were is gone: no file has one
    for column in ("bacs_sha256", "csv_sha256"):
        op.add_column("payment_files", sa.Column(column, sa.String(length=64), server_default="", nullable=False))
        op.alter_column("payment_files", column, server_default=None)
    op.execute(_BEFORE)
