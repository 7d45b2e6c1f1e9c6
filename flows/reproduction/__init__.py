"""The reproduction of a version: a clean copy of its commit, its corpus, the whole graph, and a comparison of the weights."""
