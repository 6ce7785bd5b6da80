"""The workforce service: from a workforce plan to a person in post, and from the month's cost to a claim.

It owns roles, plans, vacancies, candidates, people in post, their monthly costs, baselines and claim evidence. It
announces plans, vacancies, recruitments and claims. It listens to the registry for commissioners, practices, list
sizes and networks, and to funding for role ceilings, budgets and the outcome of claims.
"""
