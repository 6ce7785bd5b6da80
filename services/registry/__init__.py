"""The registry knows which practices make up which network, on which days, who decided it and who commissions them.

It announces practices, list sizes, networks, memberships, rounds, applications, payees and allocations; it takes in
files of the Organisation Data Service and of NHS England. It listens to nobody.
"""
