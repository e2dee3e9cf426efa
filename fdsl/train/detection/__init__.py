"""Detection and instance segmentation: Mask R-CNN on a network that was pre-trained on formulas,
tested as COCO does.
"""
