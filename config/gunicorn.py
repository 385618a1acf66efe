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
