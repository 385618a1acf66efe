"""What happens to a request between its receipt and its end, whoever does it."""
