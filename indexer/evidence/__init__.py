"""From what was found to a verdict: hits, their measures, the weights of these, kind and score."""
