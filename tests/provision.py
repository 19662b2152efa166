"""Installs what the tests use beside Python packages: Synapse, and Dovecot where root may.

`python -m tests.provision`; what is there already is left alone, what cannot be had is said, and
the tests that need it are then skipped by name.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bridge.demo.synapse import VERSION, install

SYNAPSE = Path(os.environ.get("POSTROOM_SYNAPSE", f".cache/synapse-{VERSION}"))
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
PACKAGES = ("dovecot-imapd", "dovecot-lmtpd")


def dovecot() -> bool:
    """Whether Dovecot with LMTP is on the machine."""
    return shutil.which("dovecot", path="/usr/sbin:/usr/bin") is not None and os.path.exists(
        "/usr/lib/dovecot/lmtp"
    )


def synapse() -> bool:
    return (SYNAPSE / f"synapse-{VERSION}").exists()


def _apt() -> None:
    if dovecot() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(PACKAGES)} …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ((*APT, "update", "-qq"), (*APT, "install", "-y", "-qq", *PACKAGES)):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            print(f"{' '.join(command)}: {done.stderr[-500:]}", file=sys.stderr)
            return


def main() -> None:
    try:
        asyncio.run(install(SYNAPSE, lambda text: print(text, flush=True)))
    except RuntimeError as error:
        print(error, file=sys.stderr)
    _apt()
    for name, there in (("Synapse", synapse()), ("Dovecot", dovecot())):
        print(f"{name}: {'ready' if there else 'not here, its tests are skipped'}", flush=True)


if __name__ == "__main__":
    main()
