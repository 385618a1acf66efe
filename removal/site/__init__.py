"""The public pages: to read, to ask, to follow. All work without script.

No address ever holds a receipt.
"""
