"""How gunicorn serves the site, on one machine and in the image alike.

What always holds: no access log, and nothing below an error is logged, since gunicorn's warnings
name the client's address; threads, so that a slow upload holds up nobody else.
"""

worker_class = "gthread"
workers = 1
threads = 8
timeout = 120
graceful_timeout = 10
accesslog = None
loglevel = "error"
control_socket_disable = True


def post_worker_init(worker: object) -> None:
    """Have no picture wait long for its turn: it would keep a thread from everybody else."""
    del worker
    from indexer.decode import turn_hurry  # noqa: PLC0415  # Pillow has no place in gunicorn's own

    turn_hurry()
