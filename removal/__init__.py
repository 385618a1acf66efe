"""The life of a request, from photo to decision: site, API, admin and the rules behind them."""
