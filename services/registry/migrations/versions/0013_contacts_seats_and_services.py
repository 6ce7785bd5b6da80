"""contacts seats and services"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("telephone", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_contacts_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "menu_items",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_menu_items")),
        sa.UniqueConstraint("contract_year", "service", name=op.f("uq_menu_items_contract_year_service")),
    )
    op.create_index(op.f("ix_menu_items_service"), "menu_items", ["service"], unique=False)
    op.create_table(
        "menu_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("planned_start", sa.Date(), nullable=True),
        sa.Column("actual_start", sa.Date(), nullable=True),
        sa.Column("actual_year", sa.String(), nullable=True),
        sa.Column("functions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "confidence",
            sa.Enum(
                "confirmed_2", "one_source", "derived", "remembered", name="confidence", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("item"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_menu_terms_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_menu_terms")),
    )
    op.create_index(op.f("ix_menu_terms_contract_year"), "menu_terms", ["contract_year"], unique=False)
    op.create_index(op.f("ix_menu_terms_service"), "menu_terms", ["service"], unique=False)
    op.create_table(
        "seat_holdings",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("seat", sa.String(length=32), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("appointment", sa.String(length=32), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("seat"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_seat_holdings_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_seat_holdings")),
    )
    op.create_table(
        "seat_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("seat", sa.String(length=32), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("board", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("seat"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_seat_terms_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_seat_terms")),
    )
    op.create_index(op.f("ix_seat_terms_system"), "seat_terms", ["system"], unique=False)
    op.create_table(
        "seats",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seats")),
    )
    op.create_index(op.f("ix_seats_system"), "seats", ["system"], unique=False)
    op.create_table(
        "service_sign_up_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sign_up", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("partner", sa.String(length=32), nullable=True),
        sa.Column("lead", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("service"), "="),
            (sa.column("provider"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_service_sign_up_terms_overlap",
        ),
        sa.CheckConstraint(
            "(practice is null) <> (partner is null)", name=op.f("ck_service_sign_up_terms_one_provider")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_service_sign_up_terms")),
    )
    op.create_index(op.f("ix_service_sign_up_terms_sign_up"), "service_sign_up_terms", ["sign_up"], unique=False)
    op.create_table(
        "service_sign_ups",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_sign_ups")),
    )
    op.create_index(op.f("ix_service_sign_ups_network"), "service_sign_ups", ["network"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_service_sign_ups_network"), table_name="service_sign_ups")
    op.drop_table("service_sign_ups")
    op.drop_index(op.f("ix_service_sign_up_terms_sign_up"), table_name="service_sign_up_terms")
    op.drop_table("service_sign_up_terms")
    op.drop_index(op.f("ix_seats_system"), table_name="seats")
    op.drop_table("seats")
    op.drop_index(op.f("ix_seat_terms_system"), table_name="seat_terms")
    op.drop_table("seat_terms")
    op.drop_table("seat_holdings")
    op.drop_index(op.f("ix_menu_terms_service"), table_name="menu_terms")
    op.drop_index(op.f("ix_menu_terms_contract_year"), table_name="menu_terms")
    op.drop_table("menu_terms")
    op.drop_index(op.f("ix_menu_items_service"), table_name="menu_items")
    op.drop_table("menu_items")
    op.drop_table("contacts")
