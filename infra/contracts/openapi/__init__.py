"""The clients' contract as an OpenAPI document, from the models and the catalogue that the functions answer with.

``python -m infra.contracts.openapi`` writes it. A test compares it with what would be written.
"""
