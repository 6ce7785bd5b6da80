from services.registry.agreements import model as agreements
from services.registry.allocations import model as allocations
from services.registry.applications import model as applications
from services.registry.areas import model as areas
from services.registry.base import Base
from services.registry.clinical_directors import model as clinical_directors
from services.registry.contacts import model as contacts
from services.registry.elections import model as elections
from services.registry.hierarchy import model as hierarchy
from services.registry.imports import model as imports
from services.registry.list_sizes import model as list_sizes
from services.registry.localities import model as localities
from services.registry.network_services import model as network_services
from services.registry.networks import model as networks
from services.registry.notices import model as notices
from services.registry.partners import model as partners
from services.registry.practices import model as practices
from services.registry.rounds import model as rounds
from services.registry.seats import model as seats
from services.registry.service_menu import model as service_menu
from services.registry.signatures import model as signatures
from services.registry.size_rules import model as size_rules
from services.registry.splits import model as splits
from services.registry.waivers import model as waivers
from services.registry.what_ifs import model as what_ifs
from services.registry.windows import model as windows
from services.registry.withdrawals import model as withdrawals
from shared.migrations import run

MODELS = (
    *(allocations, applications, hierarchy, imports, list_sizes, networks, practices, rounds, withdrawals),
    *(agreements, partners, signatures, clinical_directors, elections),
    *(contacts, seats, service_menu, network_services),
    *(windows, splits, notices),
    *(areas, localities, size_rules, waivers, what_ifs),
)

run(Base.metadata, "registry")
