"""PgQueuer and Procrastinate, run as they ship over direct connections, each at its best setting.

They live in an environment of their own, so that the project needs nothing of theirs; the modules named `…_runner`, and
`runner`, which they share, are run by that environment's Python and are imported by nothing else.
"""
