"""What the scripts say to arguments that cannot be: one line, the exit status of sysexits, and nothing begun: script_refusals.py."""
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFUSED = [
    ("quickstart.sh", ["nowhere.npz"], 66, "nowhere.npz: no such file"),
    ("quickstart.sh", ["--fast"], 64, "usage: "),
    ("tools/gpu_check.sh", ["--libraries", "nowhere"], 66, "--libraries: nowhere: no such folder"),
    ("tools/gpu_check.sh", ["--data", "nowhere.npz"], 66, "--data: nowhere.npz: no such file"),
    ("tools/gpu_check.sh", ["--out", "nowhere/report.md"], 73, "nowhere/report.md: cannot be written"),
    ("tools/gpu_check.sh", ["--data"], 64, "usage: "),
    ("tools/gpu_check.sh", ["--fast", "1"], 64, "usage: "),
    ("tools/setup/collect_libraries.sh", [], 64, "usage: "),
]

failures = 0
with tempfile.TemporaryDirectory() as folder:
    for script, arguments, status, mention in REFUSED:
        done = subprocess.run([ROOT / script, *arguments], cwd=folder, capture_output=True, text=True)
        lines = done.stderr.splitlines()
        if done.returncode != status or done.stdout or len(lines) != 1 or mention not in lines[0]:
            print(f"{script} {arguments}: exit status {done.returncode}, expected {status} and one line with '{mention}': {done.stderr}{done.stdout}")
            failures += 1
    if left := list(Path(folder).iterdir()):
        print(f"left behind: {left}")
        failures += 1
print(f"{len(REFUSED)} refusals, {failures} failures")
sys.exit(failures != 0)
