"""Installs what the tests use beside Python packages: Synapse, and where root may, Dovecot,
PostgreSQL, Chromium, Postfix, getmail and Perl's MIME parser.

`python -m tests.provision`; what is there already is left alone, what cannot be had is said, and
the tests that need it are then skipped by name.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bridge.demo.synapse import VERSION, install
from tests.servers.postgres import programs

SYNAPSE = Path(os.environ.get("POSTROOM_SYNAPSE", f".cache/synapse-{VERSION}"))
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
DRIVER = "psycopg2-binary==2.9.11"
"""Lets Synapse store its data in PostgreSQL."""
PACKAGES = (
    "dovecot-imapd", "dovecot-lmtpd", "postgresql", "chromium", "fonts-noto-color-emoji",
    "fonts-ipafont-gothic", "libpangoft2-1.0-0", "libharfbuzz-subset0", "libmime-tools-perl",
    "postfix", "getmail6", "curl",
)  # fmt: skip


def dovecot() -> bool:
    """Whether Dovecot with LMTP is on the machine."""
    return shutil.which("dovecot", path="/usr/sbin:/usr/bin") is not None and os.path.exists(
        "/usr/lib/dovecot/lmtp"
    )


def postgres() -> bool:
    return programs() is not None


def driver() -> bool:
    """Whether Synapse's environment can speak to PostgreSQL."""
    return any(SYNAPSE.glob("lib/python*/site-packages/psycopg2"))


def synapse() -> bool:
    return (SYNAPSE / f"synapse-{VERSION}").exists()


def chromium() -> str | None:
    """The browser's path."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pango() -> bool:
    """Whether the library is there with which pictures of mails are drawn."""
    return ctypes.util.find_library("pangoft2-1.0") is not None


def postfix() -> bool:
    """Whether Postfix is on the machine, and may be run: it changes users, so root has to."""
    return shutil.which("postfix", path="/usr/sbin:/usr/bin") is not None and os.geteuid() == 0


def getmail() -> bool:
    return shutil.which("getmail") is not None and shutil.which("curl") is not None


def perl_mime() -> bool:
    """Whether Perl can parse mail."""
    perl = shutil.which("perl")
    check = [perl or "", "-MMIME::Parser", "-MJSON::PP", "-e", "1"]
    return (
        perl is not None and subprocess.run(check, capture_output=True, check=False).returncode == 0
    )


def _servers() -> dict[str, bool]:
    return {
        "Synapse": synapse(), "Synapse's driver of PostgreSQL": driver(),
        "Dovecot": dovecot(), "PostgreSQL": postgres(),
        "Chromium": chromium() is not None, "MIME::Parser": perl_mime(), "Postfix": postfix(),
        "getmail and curl": getmail(), "Pango": pango(),
    }  # fmt: skip


def _apt() -> None:
    there = all(good for name, good in _servers().items() if not name.startswith("Synapse"))
    if there or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(PACKAGES)} …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # the tests start servers of their own; Debian's need not run
    install_ = (*APT, "install", "-y", "-qq", "--no-install-recommends", *PACKAGES)
    for command in ((*APT, "update", "-qq"), install_):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            print(f"{' '.join(command)}: {done.stderr[-500:]}", file=sys.stderr)
            return


def main() -> None:
    try:
        python = asyncio.run(install(SYNAPSE, lambda text: print(text, flush=True)))
        if not driver():
            subprocess.run([python, "-m", "pip", "install", "-q", DRIVER], check=True, timeout=600)
    except (RuntimeError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
    _apt()
    for name, there in _servers().items():
        print(f"{name}: {'ready' if there else 'not here, its tests are skipped'}", flush=True)


if __name__ == "__main__":
    main()
