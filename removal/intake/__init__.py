"""How a request comes in: what a sender must show, what is counted, what becomes of it."""
