"""Who holds which key, what is sealed under it, and how both are destroyed."""
