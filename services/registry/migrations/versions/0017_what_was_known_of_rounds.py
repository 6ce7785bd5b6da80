"""What a decider saw is kept, and what was known of rounds and applications can be asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

_LINES = """
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'practice', p.practice, 'share', CAST(p.share AS text), 'leaves', p.leaves,
        'patients', CAST(p.patients AS text)) ORDER BY p.practice), '[]')
    FROM application_practices p WHERE p.application = a.id
"""

# a step kept the form only where it came in; what it decided stands in the application itself
_STEPS = f"""
INSERT INTO application_versions (application, since, state)
SELECT a.id, s.taken_at, to_jsonb(a) || jsonb_build_object('practices', ({_LINES}))
    || CASE WHEN s.step IN ('approved', 'refused') THEN CAST('{{}}' AS jsonb) ELSE coalesce(f.form, CAST('{{}}' AS jsonb)) END
    || CASE WHEN s.step IN ('approved', 'refused') THEN CAST('{{}}' AS jsonb) ELSE jsonb_build_object(
        'status', coalesce(f.status, 'draft'), 'decided_on', NULL, 'decided_by', NULL, 'refusal_ground', NULL,
        'decision_reason', CASE WHEN f.status = 'returned' THEN f.reason END) END
    || CASE WHEN s.step IN ('found_approvable', 'approved', 'refused', 'opinion') THEN CAST('{{}}' AS jsonb)
        ELSE jsonb_build_object('found_approvable_on', NULL, 'found_approvable_by', NULL) END
FROM application_steps s JOIN applications a ON a.id = s.application
LEFT JOIN LATERAL (
    SELECT (array_agg(e.form ORDER BY e.id DESC) FILTER (WHERE e.form IS NOT NULL))[1] AS form,
        (array_agg(e.step ORDER BY e.id DESC) FILTER (WHERE e.step IN ('submitted', 'returned')))[1] AS status,
        (array_agg(e.reason ORDER BY e.id DESC) FILTER (WHERE e.step IN ('submitted', 'returned')))[1] AS reason
    FROM application_steps e WHERE e.application = s.application AND e.id <= s.id
) f ON true
ORDER BY s.id
"""  # noqa: S608 - no value is put in

_DRAFTS = f"""
INSERT INTO application_versions (application, since, state)
SELECT a.id, coalesce((SELECT min(at) FROM audit WHERE record = 'applications/' || a.id), now()),
    to_jsonb(a) || jsonb_build_object('practices', ({_LINES}))
FROM applications a WHERE a.id NOT IN (SELECT application FROM application_versions)
"""  # noqa: S608 - no value is put in

_ROUNDS = """
UPDATE rounds SET
    opened_at = coalesce((SELECT min(at) FROM audit WHERE record = 'rounds/' || id), opens_on),
    decided_at = CASE WHEN status = 'decided' THEN coalesce(
        (SELECT max(at) FROM audit WHERE record = 'rounds/' || id), decided_on) END,
    abandoned_at = CASE WHEN status = 'abandoned' THEN coalesce(
        (SELECT max(at) FROM audit WHERE record = 'rounds/' || id), abandoned_on) END
"""


def upgrade() -> None:
    op.create_table(
        "decided_covers",
        sa.Column("round", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patients", sa.Numeric(), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.Column("served_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_decided_covers_round")),
        sa.PrimaryKeyConstraint("round", "practice", name=op.f("pk_decided_covers")),
    )
    op.create_table(
        "application_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.id"], name=op.f("fk_application_versions_application"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_versions")),
    )
    op.create_index(op.f("ix_application_versions_application"), "application_versions", ["application"], unique=False)
    op.add_column("rounds", sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rounds", sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rounds", sa.Column("abandoned_at", sa.DateTime(timezone=True), nullable=True))
    for statement in (_ROUNDS, _STEPS, _DRAFTS):
        op.execute(statement)
    op.alter_column("rounds", "opened_at", nullable=False)


def downgrade() -> None:
    op.drop_column("rounds", "abandoned_at")
    op.drop_column("rounds", "decided_at")
    op.drop_column("rounds", "opened_at")
    op.drop_index(op.f("ix_application_versions_application"), table_name="application_versions")
    op.drop_table("application_versions")
    op.drop_table("decided_covers")
