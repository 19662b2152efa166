"""`make bench`: how fast posted mail is taken: 5,000 posts, 8 at a time, while it is being filed.

`CHECK=1` fails where a mail is lost or doubled, or where the slowest hundredth of the posts takes
200 ms and more.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tests.ingress import posts
from tests.servers.bridge import Bridge, Zygote
from tests.servers.database import rows
from tests.stage import SUPPORT, Scene, mail, until
from tests.stories.hooks import pushed

POSTS, AT_ONCE, BOUND = 5_000, 8, 0.2


async def measure(scene: Scene, zygote: Zygote) -> list[float]:
    """Seconds that each post took, sorted."""
    config = pushed(scene, "relay")
    config["ingress"] = {"password": "geheim"}
    config["limits"] = {"rooms_per_inbox": 100, "rooms_per_sender": 10}
    bridge = Bridge(zygote, scene.folder, config)
    await bridge.start()
    path = "/rails/action_mailbox/relay/inbound_emails"
    url = config["public_url"].replace("//", "//actionmailbox:geheim@") + path
    took: list[float] = []
    numbers = iter(range(POSTS))

    async with aiohttp.ClientSession() as http:

        async def answers() -> bool:
            try:
                async with http.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(answers, "the bridge")

        async def work() -> None:
            for number in numbers:
                raw = mail(f"Mail {number}", message_id=f"<{number}@customer.example>")
                request = posts.relay(raw, SUPPORT)
                began = time.perf_counter()
                async with http.post(url, data=request.body, headers=request.headers) as answer:
                    assert answer.status == 204, answer.status
                took.append(time.perf_counter() - began)
                if number % 10 == 0:  # as providers do when the answer was lost
                    async with http.post(url, data=request.body, headers=request.headers) as again:
                        assert again.status == 204, again.status

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    stored = await rows(scene.database, scene.folder, "SELECT COUNT(*) AS n FROM intake")
    assert stored[0]["n"] == POSTS, f"{stored[0]['n']} of {POSTS} mails are there"
    await bridge.kill()
    return sorted(took)


async def main() -> int:
    zygote = Zygote()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), f"sqlite:{folder}/postroom.db")
        await scene.start()
        try:
            took = await measure(scene, zygote)
        finally:
            await scene.stop()
            zygote.stop()
    slowest = took[int(len(took) * 0.99)]
    print(
        f"Posting: {POSTS} mails, {AT_ONCE} at a time: median {statistics.median(took) * 1000:.0f}"
        f" ms, p99 {slowest * 1000:.0f} ms (bound {BOUND * 1000:.0f}), none lost, none doubled."
    )
    return 1 if os.environ.get("CHECK") and slowest >= BOUND else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
