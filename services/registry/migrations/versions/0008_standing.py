"""No fact of the register lies outside the life of what it belongs to; contracts are dated; reasons are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

ROOTED = ("network_entries", "practice_entries", "practice_commissioners", "memberships", "payees", "allocations")
EXPLAINED = ("network_entries", "practice_entries", "practice_commissioners", "memberships", "payees")
ROOTS = {"network_entries": "network", "practice_entries": "practice"}
WITHIN = (
    ("memberships", "network", "network_entries"),
    ("memberships", "practice", "practice_entries"),
    ("payees", "network", "network_entries"),
    ("allocations", "network", "network_entries"),
    ("allocations", "practice", "practice_entries"),
    ("practice_commissioners", "practice", "practice_entries"),
)
OF = (
    ("network_entries", "network", "networks"),
    ("practice_entries", "practice", "practices"),
    ("placements", "commissioner", "commissioners"),
)

# A membership that outlived its practice ends with it, as one version believed from now on; other services hear of it.
END_WITH_PRACTICE = """
CREATE TEMPORARY TABLE outlived ON COMMIT DROP AS
    SELECT m.*, upper(range_merge(l.life)) AS ends
    FROM memberships m
    JOIN (
        SELECT practice, range_agg(valid) AS life FROM practice_entries WHERE upper_inf(known) GROUP BY practice
    ) l USING (practice)
    WHERE upper_inf(m.known) AND NOT l.life @> m.valid AND lower(m.valid) < upper(range_merge(l.life));
UPDATE memberships m SET known = tstzrange(lower(m.known), now())
    FROM outlived o WHERE m.fact_id = o.fact_id;
INSERT INTO memberships (network, practice, portion, round, application, valid, known)
    SELECT network, practice, portion, round, application, daterange(lower(valid), ends), tstzrange(now(), NULL)
    FROM outlived;
INSERT INTO outbox (time, event_id, type, topic, subject, correlation_id, data)
    SELECT now(), gen_random_uuid(), 'pcn.registry.practice-left.v1', 'pcn.registry.networks', o.network,
        'migration-0008', jsonb_build_object(
            'network', o.network, 'commissioner', e.commissioner, 'practice', o.practice,
            'valid_from', lower(o.valid), 'valid_to', o.ends - 1)
    FROM outlived o
    JOIN network_entries e ON e.network = o.network AND upper_inf(e.known) AND e.valid @> lower(o.valid);
"""

CONTRACTS = """
INSERT INTO practice_contracts (practice, contract, valid, known)
    SELECT p.code, p.contract, daterange(coalesce(min(lower(e.valid)), DATE '2019-04-01'), NULL),
        tstzrange(now(), NULL)
    FROM practices p LEFT JOIN practice_entries e ON e.practice = p.code AND upper_inf(e.known)
    WHERE p.contract IS NOT NULL GROUP BY p.code, p.contract
"""


def upgrade() -> None:
    for table in EXPLAINED:
        op.add_column(table, sa.Column("reason", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("recorded_by", sa.Text(), nullable=True))
    op.create_table(
        "practice_contracts",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_contracts_overlap",
        ),
        sa.ForeignKeyConstraint(
            ["practice"],
            ["practices.code"],
            name=op.f("fk_practice_contracts_practice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_contracts")),
    )
    op.create_index(op.f("ix_practice_contracts_practice"), "practice_contracts", ["practice"], unique=False)
    op.execute(CONTRACTS)
    op.drop_column("practices", "contract")
    op.create_table(
        "practice_successions",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_successions_overlap",
        ),
        sa.ForeignKeyConstraint(
            ["practice"],
            ["practices.code"],
            name=op.f("fk_practice_successions_practice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["successor"],
            ["practices.code"],
            name=op.f("fk_practice_successions_successor"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_successions")),
    )
    op.create_index(op.f("ix_practice_successions_successor"), "practice_successions", ["successor"], unique=False)
    op.create_table(
        "windows",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column(
            "why",
            sa.Enum("annual", "reissue", name="windowreason", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("notice_months", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("id"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_windows_overlap",
        ),
        sa.CheckConstraint("notice_months between 0 and 12", name=op.f("ck_windows_notice_of_a_year_at_most")),
        sa.CheckConstraint("not upper_inf(valid)", name=op.f("ck_windows_closes")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_windows")),
    )
    op.create_index("ix_windows_contract_year", "windows", ["contract_year"], unique=False)
    op.execute(END_WITH_PRACTICE)
    for table in ROOTED:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN standing daterange "
            "GENERATED ALWAYS AS (CASE WHEN upper_inf(known) THEN valid END) STORED"
        )
    for table, key in ROOTS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT uq_{table}_standing UNIQUE ({key}, standing WITHOUT OVERLAPS)")
    for table, column, target in WITHIN:
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT fk_{table}_{column}_standing "
            f"FOREIGN KEY ({column}, PERIOD standing) REFERENCES {target} ({ROOTS[target]}, PERIOD standing) "
            "DEFERRABLE INITIALLY DEFERRED"
        )
    for table, column, target in OF:
        op.create_foreign_key(
            op.f(f"fk_{table}_{column}"), table, target, [column], ["code"], deferrable=True, initially="DEFERRED"
        )


def downgrade() -> None:
    for table, column, _ in OF:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table)
    for table, column, _ in WITHIN:
        op.drop_constraint(f"fk_{table}_{column}_standing", table)
    for table in ROOTS:
        op.drop_constraint(f"uq_{table}_standing", table)
    for table in ROOTED:
        op.drop_column(table, "standing")
    op.drop_table("windows")
    op.drop_table("practice_successions")
    op.add_column("practices", sa.Column("contract", sa.String(), nullable=True))
    op.execute(
        "UPDATE practices SET contract = c.contract FROM practice_contracts c "
        "WHERE c.practice = code AND upper_inf(c.known) AND upper_inf(c.valid)"
    )
    op.drop_table("practice_contracts")
    for table in EXPLAINED:
        op.drop_column(table, "recorded_by")
        op.drop_column(table, "reason")
