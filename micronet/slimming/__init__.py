"""Remove from a network what cannot change its output, and prove that it did not.

``plan`` says what is dead and what folds, ``apply`` does it to a copy, ``prove`` compares the two
on inputs, and ``slim`` does all three and writes the smaller checkpoint. Import them from their
modules; this package itself imports no torch.
"""
