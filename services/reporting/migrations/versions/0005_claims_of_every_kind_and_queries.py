"""Claims of every kind, of which those that stand are counted once; queries; money sent again.

What was announced before of arrears, practices' claims, achievements and queries comes in with a rebuild.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "line_queries",
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=True),
        sa.Column("month", sa.String(length=32), nullable=True),
        sa.Column("contract_year", sa.String(length=32), nullable=True),
        sa.Column("raised_on", sa.Date(), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("answer", sa.String(length=32), nullable=True),
        sa.Column("adjustment", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("query", name=op.f("pk_line_queries")),
    )
    op.create_index("ix_line_queries_network", "line_queries", ["network", "contract_year"], unique=False)
    op.add_column(
        "claims",
        sa.Column(
            "kind",
            sa.Enum(
                "roles", "arrears", "practice-scheme", "achievements", name="claimkind", native_enum=False, length=32
            ),
            server_default="roles",
            nullable=False,
        ),
    )
    op.add_column("claims", sa.Column("practice", sa.String(length=32), server_default="", nullable=False))
    op.add_column("claims", sa.Column("contract_year", sa.String(length=32), nullable=True))
    op.execute(
        "UPDATE claims SET contract_year = y || '-' || lpad(((y + 1) % 100)::text, 2, '0') FROM ("
        "SELECT claim, left(month, 4)::int - (right(month, 2) < '04')::int AS y FROM claims) AS years "
        "WHERE years.claim = claims.claim"
    )
    op.alter_column("claims", "contract_year", nullable=False)
    op.add_column(
        "network_claims",
        sa.Column(
            "kind",
            sa.Enum(
                "roles", "arrears", "practice-scheme", "achievements", name="claimkind", native_enum=False, length=32
            ),
            server_default="roles",
            nullable=False,
        ),
    )
    op.add_column("network_claims", sa.Column("practice", sa.String(length=32), server_default="", nullable=False))
    op.add_column(
        "network_claims", sa.Column("approved", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False)
    )
    op.add_column(
        "network_claims", sa.Column("paid", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False)
    )
    op.drop_constraint("pk_network_claims", "network_claims", type_="primary")
    op.create_primary_key(
        "pk_network_claims", "network_claims", ["contract_year", "month", "network", "kind", "practice"]
    )
    op.execute("DELETE FROM network_claims")
    op.execute(
        "INSERT INTO network_claims (contract_year, month, network, claimed, claims, approved, paid) "
        "SELECT contract_year, period, network, coalesce(sum(claimed) FILTER (WHERE stands), 0), "
        "count(*) FILTER (WHERE stands), coalesce(sum(payable) FILTER (WHERE state IN ('approved', 'paid')), 0), "
        "coalesce(sum(paid) FILTER (WHERE state = 'paid'), 0) "
        "FROM (SELECT *, claimed IS NOT NULL AND state NOT IN ('returned', 'rejected') AS stands FROM claims) AS c, "
        "unnest(ARRAY[month, '']) AS period GROUP BY contract_year, period, network"
    )
    op.add_column("settlements", sa.Column("sent_again", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("settlements", "sent_again")
    op.execute("DELETE FROM network_claims WHERE kind <> 'roles'")
    op.execute("DELETE FROM claims WHERE kind <> 'roles'")
    op.drop_constraint("pk_network_claims", "network_claims", type_="primary")
    op.create_primary_key("pk_network_claims", "network_claims", ["contract_year", "month", "network"])
    op.drop_column("network_claims", "paid")
    op.drop_column("network_claims", "approved")
    op.drop_column("network_claims", "practice")
    op.drop_column("network_claims", "kind")
    op.drop_column("claims", "contract_year")
    op.drop_column("claims", "practice")
    op.drop_column("claims", "kind")
    op.drop_index("ix_line_queries_network", table_name="line_queries")
    op.drop_table("line_queries")
