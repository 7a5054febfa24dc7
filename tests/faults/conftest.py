"""The driver is a program, which `test_kills.py` runs as a process."""

collect_ignore = ["driver.py"]
