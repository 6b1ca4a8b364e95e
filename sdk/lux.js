// Placeholder: the SDK comes from its own branch.
