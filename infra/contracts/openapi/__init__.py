"""Generates the contract with clients as an OpenAPI document, from the models and errors of the functions.

``python -m infra.contracts.openapi`` writes it. A test checks that it is up to date.
"""
