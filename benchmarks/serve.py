"""How quick is the browser app: cold start, first answers, sliders, and 32 clients at once.

    python benchmarks/serve.py [--seconds 60] [--browser /usr/bin/chromium]

A server is started with the shipped models. The time from a slider to its image is measured by the
page itself, as the median of 50 moves. The clients simulate lenses for the given time, then
classify one with `default`; answers, refusals and the memory of the server are counted.
"""

import argparse
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from darklens.errors import BadInput
from darklens.serve import Client

MOVES, CLIENTS = 50, 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    start = time.perf_counter()
    command = [sys.executable, "-m", "darklens", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = re.search(r"http://\S+(?=;)", server.stderr.readline())
        assert address is not None
        try:
            measure(address[0], server.pid, start, arguments)
        finally:
            server.terminate()


def measure(url: str, pid: int, start: float, arguments: argparse.Namespace) -> None:
    """All measurements of one server."""
    from playwright.sync_api import sync_playwright

    client = Client(url)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=arguments.browser, args=["--no-sandbox"]
        )
        page = launched.new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        print(f"cold start to the first page: {time.perf_counter() - start:.1f} s")
        page.wait_for_selector("html[data-ready]")
        print(f"cold start to a page with its models: {time.perf_counter() - start:.1f} s")
        image = client.simulate(seed=1)
        client.classify(image)
        print(f"cold start to the first classification: {time.perf_counter() - start:.1f} s")
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            client.classify(image)
            times.append(time.perf_counter() - begin)
        print(f"classification of an upload: {statistics.median(times):.2f} s (median of 5)")
        print(f"slider to image: {slider(page):.0f} ms (median of {MOVES}, in the browser)")
        launched.close()
    crowd("simulate", lambda one, number: one.simulate(seed=number), url, pid, arguments.seconds)
    crowd("classify", lambda one, _: one.classify(image), url, pid, arguments.seconds)


def slider(page: object) -> float:
    """Median time from a key on a slider to the drawn image [ms]."""
    from playwright.sync_api import Page

    assert isinstance(page, Page)
    page.click("#tab-simulate")
    page.wait_for_selector("#simulate-image[data-drawn]")
    page.wait_for_timeout(1000)
    times = []
    for move in range(MOVES):
        before = page.get_attribute("#simulate-image", "data-drawn")
        page.focus("#slider-shear")
        page.keyboard.press("ArrowLeft" if move % 2 else "ArrowRight")
        while page.get_attribute("#simulate-image", "data-drawn") == before:
            page.wait_for_timeout(5)
        times.append(float(page.get_attribute("#simulate-image", "data-milliseconds") or "nan"))
    return statistics.median(times)


def crowd(
    name: str, ask: Callable[[Client, int], object], url: str, pid: int, seconds: float
) -> None:
    """Many clients at once: answers, errors, memory of the server."""
    answers, refused, end = [0] * CLIENTS, [0] * CLIENTS, time.perf_counter() + seconds

    def work(number: int) -> None:
        client = Client(url)
        while time.perf_counter() < end:
            try:
                ask(client, number)
                answers[number] += 1
            except BadInput:
                refused[number] += 1

    before = memory(pid)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        f"{CLIENTS} clients {name} for {seconds:.0f} s: {sum(answers)} answers, "
        f"{sum(refused)} refused, at least {min(answers)} for each; "
        f"memory {before:.0f} -> {memory(pid):.0f} MB"
    )


def memory(pid: int) -> float:
    """Resident memory of a process [MB]; Linux only."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
