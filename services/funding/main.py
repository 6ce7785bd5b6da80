"""Funding, wired together."""

from __future__ import annotations

from services.funding.accounts import routes as accounts
from services.funding.achievement_corrections import routes as achievement_corrections
from services.funding.achievement_overrides import routes as achievement_overrides
from services.funding.achievements import routes as achievements
from services.funding.agreed_roles import routes as agreed_roles
from services.funding.agreement_rules import routes as agreement_rules
from services.funding.arrears import routes as arrears
from services.funding.bank_details import routes as bank_details
from services.funding.bank_holidays import routes as bank_holidays
from services.funding.base import Base
from services.funding.beds import routes as beds
from services.funding.budget_rules import routes as budget_rules
from services.funding.budgets import routes as budgets
from services.funding.check_lines import routes as check_lines
from services.funding.checks import routes as checks
from services.funding.claims import routes as claims
from services.funding.consents import routes as consents
from services.funding.deadlines import routes as deadlines
from services.funding.debts import routes as debts
from services.funding.distribution_rules import routes as distribution_rules
from services.funding.distributions import routes as distributions
from services.funding.duties import routes as duties
from services.funding.entitlements import routes as entitlements
from services.funding.forecasts import routes as forecasts
from services.funding.handlers import HANDLERS, set_asked_budgets
from services.funding.indicators import routes as indicators
from services.funding.instructions import routes as instructions
from services.funding.lines import routes as lines
from services.funding.membership_rules import routes as membership_rules
from services.funding.payment_files import routes as payment_files
from services.funding.payments import routes as payments
from services.funding.populations import routes as populations
from services.funding.practice_ceilings import routes as practice_ceilings
from services.funding.practice_scheme import routes as practice_scheme
from services.funding.queries import routes as queries
from services.funding.redirections import routes as redirections
from services.funding.redistributions import routes as redistributions
from services.funding.relabellings import routes as relabellings
from services.funding.run_confirmations import routes as run_confirmations
from services.funding.seed import seed
from services.funding.settings import Settings
from services.funding.statements import routes as statements
from services.funding.tariffs import routes as tariffs
from services.funding.variances import routes as variances
from services.funding.variations import routes as variations
from services.funding.what_ifs import routes as what_ifs
from shared.events.funding import (
    AchievementApproved,
    ArrearsApproved,
    ArrearsPaid,
    ArrearsRejected,
    ArrearsTakenBack,
    BudgetSet,
    ClaimApproved,
    ClaimPaid,
    ClaimRejected,
    ClaimReturned,
    ClaimTakenBack,
    DebtSettled,
    LineQueried,
    NetworkVaried,
    PaymentConfirmed,
    PaymentIssued,
    PaymentRedirected,
    PaymentReturned,
    PracticeClaimApproved,
    PracticeClaimMade,
    PracticeClaimPaid,
    PracticeClaimRejected,
    PracticeClaimReturned,
    PracticeClaimWithdrawn,
    QueryAnswered,
    QueryWithdrawn,
    RoleAgreed,
    StreamRelabelled,
    TariffPublished,
    VariationApproved,
)
from shared.service import Service


def service(settings: Settings) -> Service:
    return Service(
        name="funding",
        base=Base,
        settings=settings,
        routers=[
            accounts.router,  # asked for most, and routers are tried in turn
            tariffs.router,
            relabellings.router,
            membership_rules.router,
            agreement_rules.router,
            variations.router,
            consents.router,
            duties.router,
            populations.router,
            beds.router,
            achievements.router,
            achievement_corrections.router,
            achievement_overrides.router,
            checks.router,
            check_lines.router,
            indicators.router,
            what_ifs.router,
            budgets.router,
            budget_rules.router,
            redistributions.router,
            agreed_roles.router,
            entitlements.router,
            payments.router,
            variances.router,
            bank_details.router,
            bank_holidays.router,
            instructions.router,
            run_confirmations.router,
            debts.router,
            redirections.router,
            payment_files.router,
            lines.router,
            queries.router,
            statements.router,
            distribution_rules.router,
            distributions.router,
            claims.router,
            arrears.router,
            forecasts.router,
            deadlines.router,
            practice_scheme.router,
            practice_ceilings.router,
        ],
        handlers=HANDLERS,
        announces=[
            AchievementApproved,
            TariffPublished,
            StreamRelabelled,
            BudgetSet,
            PaymentIssued,
            PaymentConfirmed,
            PaymentReturned,
            PaymentRedirected,
            DebtSettled,
            LineQueried,
            QueryAnswered,
            QueryWithdrawn,
            ClaimApproved,
            ClaimReturned,
            ClaimRejected,
            ClaimPaid,
            ClaimTakenBack,
            RoleAgreed,
            VariationApproved,
            NetworkVaried,
            ArrearsApproved,
            ArrearsRejected,
            ArrearsPaid,
            ArrearsTakenBack,
            PracticeClaimMade,
            PracticeClaimApproved,
            PracticeClaimReturned,
            PracticeClaimRejected,
            PracticeClaimWithdrawn,
            PracticeClaimPaid,
        ],
        seed=seed,
        finish=set_asked_budgets,
    )
