"""Vacancies, from the day they open to the day somebody is in post."""
