"""No digests of payment files are kept: an account number could be guessed from one."""

from __future__ import annotations

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


def upgrade() -> None:
    op.execute(_KEPT)
    op.drop_column("payment_files", "bacs_sha256")
    op.drop_column("payment_files", "csv_sha256")


def downgrade() -> None:
    raise NotImplementedError("the digests are gone, and for a reason")
