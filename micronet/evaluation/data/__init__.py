"""Data sets of images as people have them, all brought to one form (``dataset.Dataset``)."""
