"""Every verb's options, a file for each group; ``micronet.commands`` has what the verbs do."""
