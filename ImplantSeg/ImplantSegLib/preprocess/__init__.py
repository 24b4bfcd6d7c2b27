"""From a reconstructed scan to what a model reads: binning, denoising, grey values in [0, 1], and its quality."""
