"""Search for subhalos in image files: tables, maps and pictures."""

from darklens.evaluate.detect.figures import detection_figure
from darklens.evaluate.detect.file_detections import detect, detect_files
from darklens.evaluate.detect.observed import ObservedImage, ObservedImages
from darklens.evaluate.detect.table import FileDetection, detection_row, detection_table

__all__ = [
    "FileDetection",
    "ObservedImage",
    "ObservedImages",
    "detect",
    "detect_files",
    "detection_figure",
    "detection_row",
    "detection_table",
]
