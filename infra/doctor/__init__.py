"""The doctor of a deployed project: what is wrong, and the command that mends it. ``python -m infra.doctor --help``.

Each area is one module that asks one of Google's services and answers with findings. What could not be asked (no right,
an API that is off, no network) is a finding of its own, "could not check", and is never taken for healthy.

None of it has met a real project yet. How each area is tested:

===========  =====================================================================================================
jobs         recorded answers of the Cloud Scheduler API; there is no emulator
topic        the Pub/Sub emulator; recorded answers for the schema (the emulator knows no protobuf schemas) and
             for the states of a BigQuery subscription (the emulator has none)
backlog      the Firestore emulator
indexes      recorded answers of the Firestore Admin API; the emulator keeps no indexes
rules        recorded answers of the Firebase Rules API; there is no emulator
canary       the local stack; recorded answers of Firebase Authentication for the token
===========  =====================================================================================================

"Recorded" means: JSON in the form that the API's documentation gives, written by hand from it, in
``tests/infra/recorded/``. It was not taken from a live project. Google's own clients read it over HTTP, from a small
server in the service's place, by the same transport (REST) that they use in the cloud.
"""
