"""Look at a project before anything is deployed into it: ``make preflight PROJECT=...``.

It changes nothing. Its table, its access to Google's APIs and its options are the doctor's (``infra/doctor``). Each
area is one module that asks one Google service or two and returns findings.

It has not run against a real project yet. ``tests/infra/test_preflight.py`` gives it answers that were written by hand
after the APIs' documentation.
"""
