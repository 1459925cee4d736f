"""What gpu_targets.py makes of measurements, and of their absence; how rows against PyTorch come about: gpu_targets_test.py."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH / "peers"))
sys.dont_write_bytecode = True
import pytorch_gpu_step as peers  # noqa: E402


def table(folder, **results):
    """The lines of the table, of results to be handed over as files."""
    flags = []
    for name, content in results.items():
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(content))
        flags += [f"--{name}", path]
    done = subprocess.run([sys.executable, "-B", BENCH / "gpu_targets.py", *flags, "--part", "Self-test=passed", "--part",
                           "Learning=left out, no --data"], check=True, text=True, capture_output=True)
    return done.stdout.splitlines()


def kernel(name, share):
    return {"name": f"kernel/{name}/manual_time", "share_of_copy": share}


def main():
    turns = {t.name: t for t in peers.TURNS}
    rows = [peers.compare("3x32x32, batch 512", turns["AMP eager channels_last"], [90, 70, 80], [(40, 3e5)] * 3, 790),
            peers.compare("3x32x32, batch 512", turns["AMP compiled"], [50], [(40, 3e5)], 790),
            peers.compare("1x28x28, batch 128", turns["AMP eager channels_last"], [float("nan")], [(5, 1e5)], 790)]
    assert rows[0]["ratio"] == 2 and abs(rows[0]["share_of_matrix_rate"] - 300 / 790) < 1e-12, rows[0]
    assert peers.table_line("arithmetic", rows[0]).endswith("| 80.00 | 40.00 | 2.00 | 38 % |"), rows[0]
    with tempfile.TemporaryDirectory() as folder:
        lines = table(folder, pytorch={"rows": rows},
                      kernels={"benchmarks": [kernel("pgd_step_linf", 0.95), kernel("bin_confidence/2", 0.93),
                                              kernel("bin_confidence/9", 0.2), {"name": "kernel/fma_chains", "GFLOP/s": 1}]})
        nothing = table(folder)
    ends = [line.split("|")[-2].strip() for line in lines[2:]]
    assert ends[:6] == ["passed", "left out, no --data", "met", "NOT MET", "NOT MET", "not measured"], ends
    assert [line for line in lines if "pgd_step_linf" in line][0].endswith("| 0.95 | met |"), lines
    assert [line for line in lines if "bin_confidence" in line][0].endswith("| 0.20 | NOT MET |"), lines  # the worst of its cases
    assert sum(end == "not measured" for end in ends) == 8, ends
    assert len(nothing) == len(lines) and sum("not measured" in line for line in nothing) == len(nothing) - 4, nothing
    return 0


if __name__ == "__main__":
    sys.exit(main())
