"""What `crontick doctor` looks at: every link from an upload to its result, over HTTPS with the secret key alone.

    findings.py   what one check says, and how bad it is
    facts.py      what the database tells of itself (inspect_project), typed; each fact may be unknown
    answers.py    what the worker says when the database calls it
    expected.py   what the migrations of this version make
    look.py       asks: the database, the worker by way of the database, Storage
    keys.py reach.py database.py access.py schedule.py vault.py worker.py storage.py queue.py
                  judge: one small function per check, and none of them asks anybody
    probe.py      uploads a scratch file on request and follows it
    examine.py    puts these together

Commands load this package when they need it; a tick never does.
"""
