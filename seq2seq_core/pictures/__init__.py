"""Pictures to feature frames: files that Pillow reads, one form of pixels, columns of a line or patches of a grid."""
