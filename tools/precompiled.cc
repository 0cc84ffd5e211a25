// Compiles the precompiled header once.
