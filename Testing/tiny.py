"""Options that make each network of the zoo small enough for a test."""

TINY = {
    "unet": {"width": 2},
    "scaled_unet": {"width": 2},
    "hrnet": {"width": 2, "stem": 4, "blocks": 1, "modules": [1, 1, 1]},
    "u2net": {"width": 4},
}
