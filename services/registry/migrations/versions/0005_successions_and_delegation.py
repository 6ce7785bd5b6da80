"""Who succeeded whom, systems as rows of their own, and delegation by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "delegations",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("delegated", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("commissioner"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_delegations_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_delegations")),
    )
    op.create_table(
        "successions",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "level", sa.Enum("commissioner", "system", name="level", native_enum=False, length=32), nullable=False
        ),
        sa.Column("predecessor", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("merger", "split", "enlargement", name="successionkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("inherits", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("level"), "="),
            (sa.column("predecessor"), "="),
            (sa.column("successor"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_successions_overlap",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("level"), "="),
            (sa.column("predecessor"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            where=sa.text("inherits"),
            name="ex_successions_one_inherits",
        ),
        sa.CheckConstraint("upper_inf(valid)", name=op.f("ck_successions_from_a_day_on")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_successions")),
    )
    op.create_index("ix_successions_successor", "successions", ["successor"], unique=False)
    op.create_table(
        "systems",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_systems")),
    )
    op.add_column("commissioners", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("INSERT INTO systems (code, version) SELECT DISTINCT system, 1 FROM placements")
    # no day was kept of what was said before: it has held for as long as there are networks
    op.execute(
        "INSERT INTO delegations (commissioner, delegated, reason, valid, known) "
        "SELECT code, delegated, delegation_reason, '[2019-01-01,)', tstzrange(now(), NULL) "
        "FROM commissioners WHERE delegation_reason IS NOT NULL"
    )
    op.drop_column("commissioners", "delegation_reason")
    op.drop_column("commissioners", "delegated")


def downgrade() -> None:
    op.add_column("commissioners", sa.Column("delegated", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("commissioners", sa.Column("delegation_reason", sa.Text(), nullable=True))
    op.execute(
        "UPDATE commissioners SET delegated = d.delegated, delegation_reason = d.reason FROM delegations d "
        "WHERE d.commissioner = code AND d.valid @> CURRENT_DATE AND upper_inf(d.known)"
    )
    op.alter_column("commissioners", "delegated", server_default=None)
    op.drop_column("commissioners", "changed_at")
    op.drop_table("systems")
    op.drop_index("ix_successions_successor", table_name="successions")
    op.drop_table("successions")
    op.drop_table("delegations")
