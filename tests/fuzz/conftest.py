"""The driver and its parts are a program, which `test_fuzz.py` runs as a process."""

collect_ignore = ["driver.py", "mutations.py", "targets.py", "worker.py"]
