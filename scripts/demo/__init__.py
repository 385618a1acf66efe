"""`make demo`: the whole story once, on real photos, with real processes, over real HTTP."""
