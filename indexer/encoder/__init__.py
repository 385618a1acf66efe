"""Encoders: pictures become vectors of length 1, by open_clip models that go by name.

`load` needs torch; what `known` tells of an encoder does not.
"""
