"""How long a log-in takes with a name that somebody has and with one that nobody has (W12).

    python benchmarks/login_times.py [TRIES]

The application is asked in this process, with argon2-cffi's own parameters, a wrong password, and
the two names in turn. The aim is a difference of less than 5 ms in the median.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from fastapi.testclient import TestClient

from affectscope.store.opening import open_store
from affectscope.store.users import add_user
from affectscope.web.app import create_app
from affectscope.web.login_limits import LoginLimits
from affectscope.web.settings import Settings

ORIGIN = "http://127.0.0.1:8420"
NAMES = {"known": "anna", "unknown": "nobody of this name"}


def main(tries: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data, keys = Path(folder, "data"), Path(folder, "keys")
        store = open_store(data, keys)
        with store.writing(None) as change:
            add_user(change, NAMES["known"], "nine green bottles", administrator=True)
        app = create_app(store, Settings(data, keys))
        hours = count(step=3600.0)
        app.state.login_limits = LoginLimits(lambda: next(hours))  # no try has to wait
        client = TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN})
        times = _times(client, tries)
        store.close()
    medians = {kind: statistics.median(taken) * 1000 for kind, taken in times.items()}
    for kind, taken in times.items():
        spread = statistics.quantiles(taken, n=4)
        print(
            f"{kind:8} {len(taken)} tries: median {medians[kind]:.1f} ms, quartiles"
            f" {spread[0] * 1000:.1f} to {spread[2] * 1000:.1f} ms"
        )
    print(f"difference of the medians: {abs(medians['known'] - medians['unknown']):.1f} ms")


def _times(client: TestClient, tries: int) -> dict[str, list[float]]:
    """Kind of name -> seconds of each try; a first one of each warms up."""
    times: dict[str, list[float]] = {kind: [] for kind in NAMES}
    for number in range(tries + 1):
        for kind, name in NAMES.items():
            before = time.perf_counter()
            answer = client.post("/api/login", json={"name": name, "password": "a wrong one"})
            taken = time.perf_counter() - before
            assert answer.status_code == 401, answer.text
            if number > 0:
                times[kind].append(taken)
    return times


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
