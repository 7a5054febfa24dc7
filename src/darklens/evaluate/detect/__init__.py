"""Search for subhalos in image files: tables, maps and pictures."""

from darklens.evaluate.detect.figures import detection_figure
from darklens.evaluate.detect.file_detections import detect, detect_in_lens
from darklens.evaluate.detect.table import FileDetection, detection_row, detection_table

__all__ = [
    "FileDetection",
    "detect",
    "detect_in_lens",
    "detection_figure",
    "detection_row",
    "detection_table",
]
