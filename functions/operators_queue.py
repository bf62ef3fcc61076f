"""The queue for people: what a worker asks of it, and what the jobs API and the commands ask besides."""

from __future__ import annotations

from functions.job_queue import JobQueue
from functions.queue_doctor import DoctorCalls
from functions.queue_operations import QueueOperations
from functions.queue_reads import QueueReads


class OperatorsQueue(JobQueue, DoctorCalls, QueueOperations, QueueReads):
    """All calls there are. A tick never loads this: the rows that operators read cost it a tenth of its start."""
