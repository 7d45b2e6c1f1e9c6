"""The encoding of prepared files in blocks, which an earlier run or a cluster may have made."""
