"""The doctor checks a deployed project and prints a command for each problem. ``python -m infra.doctor --help``.

Each area is one module that asks one Google service and returns findings. A question that failed (no permission, API
disabled, no network) is a finding too: "could not check". It never counts as healthy.

The doctor has not run against a real project yet. How each area is tested:

===========  =====================================================================================================
services     recorded answers of the Cloud Run API; there is no emulator
quotas       recorded answers of the Service Usage API; there is no emulator
jobs         recorded answers of the Cloud Scheduler API; there is no emulator
events       recorded answers of the Eventarc API; the Firestore emulator takes triggers in another form
alerts       recorded answers of the Cloud Monitoring API; there is no emulator
topic        the Pub/Sub emulator; recorded answers for the schema (the emulator knows no protobuf schemas) and
             for the states of a BigQuery subscription (the emulator has none)
backlog      the Firestore emulator
rounds       the Firestore emulator
database     recorded answers of the Firestore Admin API; the emulator keeps no databases and backups
indexes      recorded answers of the Firestore Admin API; the emulator keeps no indexes
rules        recorded answers of the Firebase Rules API; there is no emulator
canary       the local stack; recorded answers of Firebase Authentication for the token
===========  =====================================================================================================

"Recorded" answers are JSON files in ``tests/infra/recorded/``, written by hand after the API's documentation. They were
not taken from a live project. A small HTTP server gives them to Google's own clients, which use the same transport
(REST) as in the cloud.
"""
