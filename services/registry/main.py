from __future__ import annotations

from services.registry.agreements.routes import router as agreements
from services.registry.allocations.routes import router as allocations
from services.registry.applications.routes import router as applications
from services.registry.areas.routes import router as areas
from services.registry.base import Base
from services.registry.clinical_directors.routes import router as clinical_directors
from services.registry.contacts.routes import router as contacts
from services.registry.elections.routes import router as elections
from services.registry.hierarchy.routes import router as hierarchy
from services.registry.hierarchy.succession_routes import router as successions
from services.registry.imports.routes import router as imports
from services.registry.list_sizes.routes import router as list_sizes
from services.registry.localities.routes import router as localities
from services.registry.members.routes import router as members
from services.registry.network_services.routes import router as network_services
from services.registry.network_sizes.routes import router as network_sizes
from services.registry.networks.routes import router as networks
from services.registry.notices.routes import router as notices
from services.registry.partners.routes import router as partners
from services.registry.payees.routes import router as payees
from services.registry.practice_life.dispersal_routes import router as dispersals
from services.registry.practice_life.routes import router as practice_life
from services.registry.practices.routes import router as practices
from services.registry.rounds.routes import router as rounds
from services.registry.seats.routes import router as seats
from services.registry.service_menu.operations import load_menu
from services.registry.service_menu.routes import router as service_menu
from services.registry.settings import Settings
from services.registry.signatures.routes import router as signatures
from services.registry.size_rules.routes import router as size_rules
from services.registry.splits.routes import router as splits
from services.registry.statistics.routes import router as statistics
from services.registry.waivers.routes import router as waivers
from services.registry.what_ifs.routes import router as what_ifs
from services.registry.windows.routes import router as windows
from services.registry.withdrawals.routes import router as withdrawals
from shared.events import registry as events
from shared.service import Service


def service(settings: Settings) -> Service:
    """The registry: who is in which network, who decided it, and how many patients each practice has."""
    return Service(
        name="registry",
        base=Base,
        settings=settings,
        routers=[
            networks,  # asked for most, and routers are tried in turn
            hierarchy,
            successions,
            practices,
            practice_life,
            dispersals,
            splits,
            notices,
            members,
            payees,
            windows,
            list_sizes,
            rounds,
            applications,
            allocations,
            withdrawals,
            waivers,
            what_ifs,
            *(size_rules, network_sizes),
            areas,
            localities,
            statistics,
            imports,
            *(partners, agreements, signatures, clinical_directors, elections),
            *(contacts, seats, service_menu, network_services),
        ],
        announces=[
            events.CommissionerRegistered,
            events.CommissionerSucceeded,
            events.PracticesPublished,
            events.PracticeRegistered,
            events.PracticeClosed,
            events.PracticeSucceeded,
            events.PracticeSplit,
            events.ListSizesPublished,
            events.NetworkApproved,
            events.NetworkRestated,
            events.NetworkClosed,
            events.PracticeJoined,
            events.PracticeLeft,
            events.PatientsAllocated,
            events.AllocationEnded,
            events.EntitlementWithdrawn,
            events.EntitlementRestored,
            events.AgreementSigned,
            events.AgreementEnded,
            events.ClinicalDirectorAppointed,
            events.ClinicalDirectorLeft,
            events.RoundOpened,
            events.RoundDecided,
            events.RoundAbandoned,
            events.NetworkApplied,
            events.NetworkReturned,
            events.NetworkRefused,
            events.PayeeAppointed,
        ],
        seed=load_menu,
    )
