"""What `make` runs: demo, sample dataset, servers for tests. The service never imports it."""
