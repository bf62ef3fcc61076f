"""The queue against a model of it: random calls, and after each of them every row has to be what the model says.

`model.py` is the state of the queue in plain dataclasses; `enqueueing.py`, `claiming.py`, `running.py`, `operating.py`
and `pruning.py` say what each call does to it, `limits.py` what may run at once. `machine.py` draws the calls,
`harness.py` makes them, `observe.sql` looks at everything in the same round trip. Where the SQL may choose (which job a
fair claim takes, how long a retry waits) the model accepts what is legal and learns it from the answer.
"""
