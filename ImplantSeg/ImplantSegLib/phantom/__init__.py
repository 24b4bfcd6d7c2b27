"""The synthetic explant: a corroded magnesium screw in bone, imaged at a synchrotron, with exactly known truth.

The explant is a continuous function of space (:mod:`.explant`, made of :mod:`.screw`, :mod:`.corrosion` and
:mod:`.bone`); :mod:`.sample` turns it into voxels and into the counts of the :mod:`.truth`; :mod:`.imaging` degrades
the voxels as a beamline does; :mod:`.recipe` solves for the fields that meet the targets; :mod:`.build` writes files.
"""
